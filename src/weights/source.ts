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
    throw this.#other(start, end - start, bytes);
  }

  /** The first bytes, fewer where there are no more. */
  async start(most: number): Promise<Uint8Array> {
    const asked = Math.min(most, this.byteLength);
    const bytes = await this.#ranges(0, asked);
    if (bytes.length <= asked) return bytes;
    throw this.#other(0, asked, bytes);
  }

  #other(from: number, asked: number, got: Uint8Array): ArgumentError {
    const expected = `${asked} bytes from ${from} on`;
    return new ArgumentError(this.operation, "source", expected, `${got.length}`);
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
      const expected = "bytes, a Blob, a URL or { byteLength, read }";
      throw new ArgumentError(this.operation, "source", expected, describe(given));
    }
    this.byteLength = byteLength as number;
    return async (start, end) => {
      const bytes: unknown = await read.call(given, start, end);
      if (kindOf(bytes) !== "Uint8Array") {
        throw new ArgumentError(this.operation, "source.read", "a Uint8Array", describe(bytes));
      }
      return part(bytes as Uint8Array, 0, lengthOf(bytes as Uint8Array)).slice();
    };
  }

  /** Ranges by HTTP; where a server gives the whole file instead, that is kept. */
  #fetching(url: URL, signal: AbortSignal | undefined) {
    let whole: Uint8Array | undefined;
    return async (start: number, end: number) => {
      if (whole) return whole.slice(start, end);
      if (start === end) return new Uint8Array(0);
      const { response, bytes } = await this.#fetched(url, start, end, signal);
      const [, first, size] = RANGE.exec(response.headers.get("content-range") ?? "") ?? [];
      if (response.status === 206 && first !== undefined && Number(first) !== start) {
        const expected = `${url.href} to give bytes from ${start} on`;
        throw new ArgumentError(this.operation, "source", expected, `those from ${first} on`);
      }
      if (response.status === 206 && size !== undefined) this.byteLength = Number(size);
      else if (response.status === 206 && bytes.length < end - start)
        this.byteLength = start + bytes.length;
      else if (response.status !== 206) {
        whole = bytes;
        this.byteLength = bytes.length;
        return whole.slice(start, end);
      }
      return bytes;
    };
  }

  async #fetched(url: URL, start: number, end: number, signal: AbortSignal | undefined) {
    const headers = { Range: `bytes=${start}-${end - 1}` };
    const there = `${url.href} to be there`;
    try {
      const response = await fetch(url, { headers, ...(signal && { signal }) });
      // A file of no bytes has no range.
      if (!response.ok && response.status !== 416) {
        const received = `${response.status} ${response.statusText}`.trim();
        throw new ArgumentError(this.operation, "source", there, received);
      }
      const bytes = response.ok ? new Uint8Array(await response.arrayBuffer()) : new Uint8Array(0);
      return { response, bytes };
    } catch (error) {
      if (error instanceof ArgumentError || signal?.aborted) throw error;
      // Engines say little of why there is no answer, and some say it in the cause.
      const { message, cause } = error as Error;
      const why = (cause as Error | undefined)?.message;
      const received = (why ? `${message}: ${why}` : message).slice(0, 100);
      throw new ArgumentError(this.operation, "source", there, received);
    }
  }
}

/** Where a range begins, and the length of the whole where it is said. */
const RANGE = /^bytes (\d+)-\d+\/(\d+)?/;

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
