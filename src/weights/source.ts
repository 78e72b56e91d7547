// Where the bytes of a weight file come from: memory, a Blob (a file of a form, or of Node's openAsBlob),
// an address that is asked for ranges, or anything that gives ranges. Nothing is read before it is needed.

import { kindOf, lengthOf, part } from "../arrays";
import { ArgumentError, describe } from "../errors";
import { checkSignal } from "../run/steps";

/** Any other place that bytes can be read from, such as an open file. */
export interface ByteSource {
  /** How many there are. */
  readonly byteLength: number;
  /** Those from `start` up to `end`, both inside. */
  read(start: number, end: number): Promise<Uint8Array> | Uint8Array;
}

/** A file's bytes, a Blob of it, its address (a URL, or a text with its scheme), or ranges of it. */
export type WeightSource = ArrayBuffer | Uint8Array | Blob | URL | string | ByteSource;

/** Options of `readGguf`. */
export interface ReadOptions {
  /** Ends what is fetched: the promise rejects with `signal.reason`. */
  signal?: AbortSignal | undefined;
}

/** Bytes of a file by ranges, all of which lie inside. */
export class Source {
  readonly operation: string;
  /** Known from the start, or after the first range of an address. */
  byteLength = Infinity;
  /** Of an address. */
  readonly url: URL | undefined;
  readonly #ranges: (start: number, end: number) => Promise<Uint8Array>;

  constructor(operation: string, given: unknown, signal: AbortSignal | undefined) {
    checkSignal(operation, signal);
    this.operation = operation;
    this.url = addressOf(given);
    this.#ranges = this.url ? this.#fetching(this.url, signal) : this.#local(given);
  }

  /** Exactly those bytes, in a buffer that nobody else has. */
  async read(start: number, end: number): Promise<Uint8Array> {
    const bytes = await this.#ranges(start, end);
    if (bytes.length === end - start) return bytes;
    throw this.#wrong(`${end - start} bytes from ${start} on`, `${bytes.length}`);
  }

  /** The first bytes, fewer where there are no more. */
  async start(most: number): Promise<Uint8Array> {
    return this.#ranges(0, Math.min(most, this.byteLength));
  }

  #wrong(expected: string, received: string): ArgumentError {
    return new ArgumentError(this.operation, "source", expected, received);
  }

  #local(given: unknown): (start: number, end: number) => Promise<Uint8Array> {
    const kind = kindOf(given);
    if (kind === "Uint8Array" || isKind(given, "ArrayBuffer", "SharedArrayBuffer")) {
      const bytes = kind ? (given as Uint8Array) : new Uint8Array(given as ArrayBuffer);
      this.byteLength = lengthOf(bytes);
      return async (start, end) => part(bytes, start, end - start).slice();
    }
    if (isKind(given, "Blob", "File")) {
      const blob = given as Blob;
      this.byteLength = blob.size;
      return async (start, end) => new Uint8Array(await blob.slice(start, end).arrayBuffer());
    }
    const { byteLength, read } = (given ?? {}) as Partial<ByteSource>;
    if (
      !Number.isSafeInteger(byteLength) ||
      (byteLength as number) < 0 ||
      typeof read !== "function"
    ) {
      throw this.#wrong("bytes, a Blob, a URL or { byteLength, read }", describe(given));
    }
    this.byteLength = byteLength as number;
    return async (start, end) => {
      const bytes = await read.call(given, start, end);
      if (kindOf(bytes) === "Uint8Array") return bytes.slice();
      throw this.#wrong("a Uint8Array from read", describe(bytes));
    };
  }

  /** Ranges by HTTP; where a server gives the whole file instead, that is kept. */
  #fetching(url: URL, signal: AbortSignal | undefined) {
    let whole: Uint8Array | undefined;
    const wrong = (received: string) => this.#wrong(`${url.href} to be there`, received);
    return async (start: number, end: number) => {
      if (whole) return whole.slice(start, end);
      if (start === end) return new Uint8Array(0);
      const headers = { Range: `bytes=${start}-${end - 1}` };
      const asked = fetch(url, { headers, ...(signal && { signal }) });
      const response = await asked.catch((error: unknown) => {
        throw signal?.aborted ? error : wrong(`${error}`);
      });
      const { ok, status } = response;
      // A file of no bytes has no range.
      if (!ok && status !== 416) throw wrong(`${status} ${response.statusText}`.trim());
      const bytes = new Uint8Array(ok ? await response.arrayBuffer() : []);
      if (status !== 206) {
        whole = bytes;
        this.byteLength = bytes.length;
        return whole.slice(start, end);
      }
      const [, first = start, size] = RANGE.exec(response.headers.get("content-range") ?? "") ?? [];
      if (Number(first) !== start) throw wrong(`bytes from ${first} on, not from ${start}`);
      if (size) this.byteLength = Number(size);
      else if (bytes.length < end - start) this.byteLength = start + bytes.length;
      return bytes;
    };
  }
}

/** Where a range begins, and the length of the whole where it is said. */
const RANGE = /(\d+)-\d+\/(\d*)/;

function addressOf(given: unknown): URL | undefined {
  if (isKind(given, "URL")) return given as URL;
  if (typeof given !== "string") return undefined;
  try {
    return new URL(given, (globalThis as { location?: { href: string } }).location?.href);
  } catch {
    return undefined;
  }
}

/** Of any realm. */
function isKind(value: unknown, ...kinds: string[]): boolean {
  return kinds.includes(Object.prototype.toString.call(value).slice(8, -1));
}
