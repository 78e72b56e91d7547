// What travels: a header in JSON and arrays behind it, cut into parts that a server takes. Whatever comes is
// checked: no length, no number of parts and no name is believed.
//
//   message  u32 bytes of the header, the header, zeros to a multiple of 8, each array to a multiple of 8
//   part     u32 "WAS1", 16 bytes of the message's id, u32 part, u32 of, u32 bytes of the message, some of it

/** Of the protocol, in every part. */
const MAGIC = 0x31534157;
export const PROTOCOL = 1;
const HEAD = 32;
const align = (bytes: number) => (bytes + 7) & ~7;

export type Numbers = Float32Array | Uint8Array;

export interface Message {
  readonly header: Record<string, unknown>;
  readonly arrays: readonly Numbers[];
}

export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
}

export function encode(header: object, arrays: readonly Numbers[] = []): Uint8Array<ArrayBuffer> {
  const kinds = arrays.map((array) => [array instanceof Uint8Array ? "u8" : "f32", array.length]);
  const text = new TextEncoder().encode(JSON.stringify({ ...header, arrays: kinds }));
  const start = align(4 + text.length);
  const bytes = new Uint8Array(
    arrays.reduce((sum, { byteLength }) => sum + align(byteLength), start),
  );
  new DataView(bytes.buffer).setUint32(0, text.length, true);
  bytes.set(text, 4);
  let at = start;
  for (const array of arrays) {
    bytes.set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength), at);
    at += align(array.byteLength);
  }
  return bytes;
}

/** @throws ProtocolError for bytes that are no message. `bytes` begin a buffer. */
export function decode(bytes: Uint8Array<ArrayBuffer>): Message {
  const { buffer, length } = bytes;
  const size = length < 4 ? Infinity : new DataView(buffer).getUint32(0, true);
  if (size > length - 4) throw new ProtocolError("a header that is longer than its message");
  let header: unknown;
  try {
    header = JSON.parse(
      new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(4, 4 + size)),
    );
  } catch {
    throw new ProtocolError("a header that is no JSON");
  }
  const { arrays: kinds, ...rest } = (header ?? {}) as Record<string, unknown>;
  if (!Array.isArray(kinds)) throw new ProtocolError("a message without arrays");
  let at = align(4 + size);
  const arrays = kinds.map((entry: unknown) => {
    const [kind, count] = Array.isArray(entry) ? entry : [];
    const wide = kind === "f32" ? 4 : kind === "u8" ? 1 : Number.NaN;
    const end = at + count * wide;
    if (!Number.isSafeInteger(count) || count < 0 || !(end <= length))
      throw new ProtocolError("an array past the end of its message");
    const array = wide === 4 ? new Float32Array(buffer, at, count) : bytes.subarray(at, end);
    at = align(end);
    return array;
  });
  return { header: rest, arrays };
}

export interface Part {
  readonly id: string;
  readonly part: number;
  readonly of: number;
  /** Of the whole message. */
  readonly bytes: number;
  readonly chunk: Uint8Array;
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

function hexOf(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += HEX[byte];
  return text;
}

/** 32 hexadecimal digits. */
export function newId(): string {
  return hexOf(crypto.getRandomValues(new Uint8Array(16)));
}

/** A message in parts of at most `most` bytes. */
export function cut(message: Uint8Array, most: number, id: string): Uint8Array[] {
  const size = most - HEAD;
  const of = Math.max(1, Math.ceil(message.length / size));
  return Array.from({ length: of }, (_, part) => {
    const chunk = message.subarray(part * size, (part + 1) * size);
    const bytes = new Uint8Array(HEAD + chunk.length);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, MAGIC, true);
    for (let i = 0; i < 16; i++) bytes[4 + i] = Number.parseInt(id.slice(2 * i, 2 * i + 2), 16);
    view.setUint32(20, part, true);
    view.setUint32(24, of, true);
    view.setUint32(28, message.length, true);
    bytes.set(chunk, HEAD);
    return bytes;
  });
}

/** @throws ProtocolError for bytes that are no part, or of another version. */
export function partOf(bytes: Uint8Array): Part {
  if (bytes.length < HEAD) throw new ProtocolError("fewer bytes than a part has");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.getUint32(0, true) !== MAGIC) throw new ProtocolError("no part of this protocol");
  const [part, of, all] = [20, 24, 28].map((at) => view.getUint32(at, true)) as [
    number,
    number,
    number,
  ];
  // A Buffer of Node: its own slice does not copy.
  const chunk = bytes.subarray(HEAD);
  if (part >= of || chunk.length > all) throw new ProtocolError("a part that does not fit");
  return { id: hexOf(bytes.subarray(4, 20)), part, of, bytes: all, chunk };
}

interface Open {
  /** By their number: there is room for those alone that came, however many are said to. */
  readonly chunks: Map<number, Uint8Array>;
  readonly of: number;
  readonly bytes: number;
  filled: number;
}

/** Puts parts together, of at most so many messages at a time; the oldest is given up for another. */
export class Assembler {
  readonly #open = new Map<string, Open>();
  readonly #most: { readonly messages: number; readonly bytes: number };

  constructor(most: { readonly messages: number; readonly bytes: number }) {
    this.#most = most;
  }

  /** Messages of which parts are missing. */
  get open(): number {
    return this.#open.size;
  }

  /** The message, once all its parts are there. @throws ProtocolError. */
  add(data: Uint8Array): Message | undefined {
    const { id, part, of, bytes, chunk } = partOf(data);
    if (bytes > this.#most.bytes || of > Math.max(1, bytes))
      throw new ProtocolError(`a message of ${bytes} bytes, more than ${this.#most.bytes}`);
    if (of === 1) {
      if (chunk.length !== bytes) throw new ProtocolError("a part that is no whole message");
      return decode(new Uint8Array(chunk));
    }
    let open = this.#open.get(id);
    if (!open) {
      const [oldest] = this.#open.keys();
      if (this.#open.size >= this.#most.messages && oldest) this.#open.delete(oldest);
      open = { chunks: new Map(), of, bytes, filled: 0 };
      this.#open.set(id, open);
    }
    if (open.of !== of || open.bytes !== bytes)
      throw new ProtocolError("parts of two messages with one id");
    if (open.chunks.has(part)) return undefined;
    open.chunks.set(part, new Uint8Array(chunk));
    open.filled += chunk.length;
    if (open.filled <= bytes && open.chunks.size < of) return undefined;
    this.#open.delete(id);
    if (open.filled !== bytes) throw new ProtocolError("parts that do not make their message");
    const whole = new Uint8Array(bytes);
    let at = 0;
    for (let number = 0; number < of; number++) {
      const piece = open.chunks.get(number) as Uint8Array;
      whole.set(piece, at);
      at += piece.length;
    }
    return decode(whole);
  }
}
