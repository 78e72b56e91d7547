// A weight file that was opened: what it says, where each tensor lies, and each read when it is asked for.

import { ArgumentError, describe } from "../errors";
import { checkDims } from "../tensor/dims";
import type { Tensor } from "../tensor/tensor";
import type { Source } from "./source";

/** What a file says besides: texts in safetensors; numbers, texts, booleans and lists of them in GGUF. */
export type Metadata = number | bigint | boolean | string | readonly Metadata[];

/** A tensor as the header has it. */
export interface WeightEntry {
  /** As the format calls it: "F32", "BF16", "Q4_K". */
  readonly dtype: string;
  /** As PyTorch orders them, the last running fastest. */
  readonly dims: readonly number[];
  /** In the file. */
  readonly byteLength: number;
}

/** Some rows of a tensor. */
export interface SliceRange {
  /** The axis they are counted along; the first by default. */
  readonly axis?: number | undefined;
  /** The first. */
  readonly from: number;
  /** The one after the last. */
  readonly to: number;
}

/** An entry with its place. */
export interface Placed extends WeightEntry {
  readonly source: Source;
  readonly start: number;
  /** To float32; without it the numbers can only be had as they lie. */
  readonly decode: ((bytes: Uint8Array) => Float32Array) | undefined;
}

/** Numbers in blocks, as a type of a format. */
export interface NumberType {
  readonly name: string;
  /** Numbers in a block. */
  readonly block: number;
  /** Bytes of a block. */
  readonly bytes: number;
  readonly decode?: ((bytes: Uint8Array) => Float32Array) | undefined;
}

/** A file whose header was read: `readSafetensors` and `readGguf` give it. */
export class WeightFile {
  /** @internal */
  static readonly name = "WeightFile";
  /** What the file says of itself. */
  readonly metadata: ReadonlyMap<string, Metadata>;
  /** Every tensor by name: its dtype, dims and bytes. */
  readonly entries: ReadonlyMap<string, WeightEntry>;
  readonly #placed: ReadonlyMap<string, Placed>;
  readonly #asked = new Set<string>();

  /** @internal */
  constructor(metadata: ReadonlyMap<string, Metadata>, placed: ReadonlyMap<string, Placed>) {
    this.metadata = metadata;
    this.#placed = placed;
    const shown = ({ dtype, dims, byteLength }: Placed) => ({ dtype, dims, byteLength });
    this.entries = new Map([...placed].map(([name, entry]) => [name, Object.freeze(shown(entry))]));
  }

  /**
   * A tensor in float32, whatever its numbers are in the file; 64-bit ones are rounded.
   *
   * @throws ArgumentError (rejects) for a name that the file does not have, for numbers that have no
   *   float32 (`bytes` gives them as they lie), and where the file ends too early.
   */
  async tensor(name: string): Promise<Tensor> {
    const entry = this.#find("tensor", name);
    const dims = checkDims("tensor", name, entry.dims);
    if (!entry.decode) {
      const expected = "numbers that can be made float32 (`bytes` gives them as they lie)";
      throw new ArgumentError("tensor", name, expected, entry.dtype);
    }
    return { data: entry.decode(await read(entry)), dims: [...dims] };
  }

  /**
   * Rows [from, to) along an axis of a tensor, in float32; only their bytes are read.
   *
   * @throws As `tensor`; also for numbers in blocks, whose rows do not begin at a byte of their own.
   */
  async slice(name: string, range: SliceRange): Promise<Tensor> {
    const entry = this.#find("slice", name);
    const { axis = 0, from, to } = Object(range) as SliceRange;
    const dims = checkDims("slice", name, entry.dims);
    const elements = dims.reduce((product, size) => product * size, 1);
    const size = elements ? entry.byteLength / elements : 0;
    if (!entry.decode || !Number.isInteger(size)) {
      const expected = "numbers of whole bytes that can be made float32";
      throw new ArgumentError("slice", name, expected, entry.dtype);
    }
    const rows = dims[axis];
    if (rows === undefined) {
      throw new ArgumentError("slice", "axis", `an axis of ${dims.length}`, describe(axis));
    }
    if (![from, to].every(Number.isInteger) || from < 0 || to < from || to > rows) {
      const expected = `a range within 0 to ${rows}`;
      throw new ArgumentError(
        "slice",
        "from, to",
        expected,
        `${describe(from)} to ${describe(to)}`,
      );
    }
    const inner = dims.slice(axis + 1).reduce((product, size) => product * size, 1);
    const outer = dims.slice(0, axis).reduce((product, size) => product * size, 1);
    const data = new Float32Array(outer * (to - from) * inner);
    const piece = (to - from) * inner;
    const { source, start, decode } = entry;
    await Promise.all(
      Array.from({ length: piece ? outer : 0 }, async (_, index) => {
        const at = start + (index * rows + from) * inner * size;
        data.set(decode(await source.read(at, at + piece * size)), index * piece);
      }),
    );
    return { data, dims: dims.map((count, index) => (index === axis ? to - from : count)) };
  }

  /** A tensor's bytes as the file has them. @throws As `tensor`. */
  async bytes(name: string): Promise<Uint8Array> {
    return read(this.#find("bytes", name));
  }

  /** Names of the tensors that nobody has asked for yet: what a model that is made has left out. */
  get unread(): string[] {
    return [...this.#placed.keys()].filter((name) => !this.#asked.has(name));
  }

  #find(operation: string, name: string): Placed {
    const entry = this.#placed.get(name);
    if (entry) {
      this.#asked.add(name);
      return entry;
    }
    throw new ArgumentError(
      operation,
      typeof name === "string" ? name : "name",
      "the name of a tensor in the file",
      typeof name === "string" ? `none among ${someOf(this.#placed.keys())}` : describe(name),
    );
  }
}

function read({ source, start, byteLength }: Placed): Promise<Uint8Array> {
  return source.read(start, start + byteLength);
}

/** The first of them, for a message. */
export function someOf(names: Iterable<string>): string {
  const all = [...names];
  const some = all.slice(0, 4).map((name) => JSON.stringify(name.slice(0, 60)));
  return all.length > 4 ? `${some.join(", ")}, … (${all.length})` : some.join(", ") || "no names";
}

/** Bytes of a tensor of that type, NaN where blocks do not fit or sizes are none. */
export function bytesOf({ block, bytes }: NumberType, dims: readonly unknown[]): number {
  let count = 1;
  for (const size of dims) {
    if (!Number.isSafeInteger(size) || (size as number) < 0) return Number.NaN;
    count *= size as number;
  }
  return count % block || !Number.isSafeInteger(count) ? Number.NaN : (count / block) * bytes;
}

/**
 * The tensors in order of their place, which may lie as far apart as an alignment leaves.
 *
 * @throws ArgumentError where two share bytes, where one lies past the end, or where there is a hole.
 */
export function checkPlaces(
  operation: string,
  placed: ReadonlyMap<string, Placed>,
  [first, end]: readonly [number, number],
  alignment = 1,
): void {
  let from = first;
  for (const [name, { start, byteLength }] of [...placed].sort((a, b) => before(a[1], b[1]))) {
    const hole = start - from;
    if (hole < 0 || hole >= alignment || start + byteLength > end) {
      const expected = `bytes of its own in the file, from ${from} to at most ${end}`;
      throw new ArgumentError(operation, name, expected, `${start} to ${start + byteLength}`);
    }
    from = start + byteLength;
  }
  // The length of an address may be kept from a page.
  if (end !== Infinity && end - from >= alignment) {
    const expected = `tensors up to the end of the file, ${end}`;
    throw new ArgumentError(operation, "source", expected, `${end - from} bytes of none`);
  }
}

const before = (a: Placed, b: Placed) => a.start - b.start || a.byteLength - b.byteLength;
