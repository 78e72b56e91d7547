// What a cache is made of: its sizes, its sequences and the pages that they share. It knows nothing of
// the object that the caller holds, so that its pages can be released when that is collected.

import type { NumbersKind } from "../../assembly/kinds";
import { copyOf, countOf } from "../arrays";
import type { Rotary } from "../check/rotary";
import { checkBoolean, checkCount } from "../check/values";
import { ArgumentError, DisposedError, describe } from "../errors";
import type { Arena } from "../memory/arena";
import { checkNumbers, nameOf, storedSizes } from "./numbers";
import type { CacheOptions } from "./options";
import { type Page, Pages } from "./pages";
import { rotaryDigest } from "./rotary";

/** One text: token i lies in row i mod pageSize of page ⌊i / pageSize⌋. */
export interface Sequence {
  /** Nothing where a page was evicted. */
  pages: (Page | undefined)[];
  length: number;
  /** Of the next token, for rotary embeddings. */
  position: number;
  /** Tokens before this one, but for sinks, are no longer there. */
  evicted: number;
}

/** Checked and made plain. */
export interface CacheSizes {
  readonly numbers: NumbersKind;
  readonly keyValueHeads: number;
  readonly headSize: number;
  readonly valueSize: number;
  readonly pageSize: number;
  /** Tokens that a query sees, its own included; Infinity for all. */
  readonly window: number;
  readonly sinks: number;
  readonly rotary: Rotary | undefined;
  /** Whether keys are a source's. */
  readonly cross: boolean;
  readonly maximumBytes: number;
}

/** A page stays clear of what 32 bits can say. */
const MOST_PAGE_BYTES = 2 ** 30;

export class CacheState {
  readonly sizes: CacheSizes;
  readonly pages: Pages;
  readonly sequences = new Map<number, Sequence>();
  disposed = false;
  #next = 0;

  constructor(arena: Arena, sizes: CacheSizes) {
    this.sizes = sizes;
    this.pages = new Pages(arena, pageBytes(sizes), sizes.maximumBytes);
  }

  /** @throws DisposedError. */
  checkInUse(operation: string): void {
    if (!this.disposed) return;
    throw new DisposedError(operation, "cache", "a cache in use", "a disposed one");
  }

  /** A sequence without a token, and its number, which no other ever has. */
  begin(): number {
    const id = this.#next++;
    this.sequences.set(id, { pages: [], length: 0, position: 0, evicted: 0 });
    return id;
  }

  /** @throws ArgumentError for what was never a sequence, DisposedError for one that was released. */
  sequence(operation: string, argument: string, id: unknown): Sequence {
    const sequence = this.sequences.get(id as number);
    if (sequence) return sequence;
    if (Number.isInteger(id) && (id as number) >= 0 && (id as number) < this.#next) {
      throw new DisposedError(
        operation,
        argument,
        "a sequence in use",
        `${id}, which was released`,
      );
    }
    const known = [...this.sequences.keys()].slice(0, 8).join(", ");
    const expected = known
      ? `a sequence of this cache, such as ${known}`
      : "a sequence, from begin()";
    throw new ArgumentError(operation, argument, expected, describe(id));
  }

  /** The sequence of each row of a batch, nothing for a row that is skipped. */
  batch(operation: string, given: ArrayLike<number> | undefined, rows: number) {
    const count = given === undefined ? this.sequences.size : countOf(given);
    if (count !== rows) {
      const expected =
        given === undefined
          ? `the ${count} sequences of the cache as batch, or sequences for each of ${rows} rows`
          : `one sequence for each of ${rows} rows of the batch`;
      const received = given === undefined ? `${rows} rows` : describe(given);
      throw new ArgumentError(operation, "sequences", expected, received);
    }
    if (given === undefined) return [...this.sequences.values()];
    const ids = copyOf<number>(given, count);
    return ids.map((id, row) => {
      if (id === -1) return undefined;
      return this.sequence(operation, `sequences[${row}]`, id);
    });
  }

  fork(operation: string, id: number): number {
    const from = this.sequence(operation, "sequence", id);
    const fork = this.begin();
    this.share(fork, from);
    return fork;
  }

  release(operation: string, id: number): void {
    this.cut(this.sequence(operation, "sequence", id), 0);
    this.sequences.delete(id);
  }

  truncate(operation: string, id: number, length: number): void {
    const sequence = this.sequence(operation, "sequence", id);
    if (!Number.isInteger(length) || length < 0 || length > sequence.length) {
      const expected = `an integer from 0 to ${sequence.length}`;
      throw new ArgumentError(operation, "length", expected, describe(length));
    }
    const { window, pageSize } = this.sizes;
    const least = sequence.evicted + window - 1;
    if (length > 0 && sequence.evicted && length < least) {
      const expected = `0, or from ${least} on: tokens before ${sequence.evicted} are evicted`;
      throw new ArgumentError(operation, "length", expected, `${length}`);
    }
    this.cut(sequence, Math.ceil(length / pageSize));
    sequence.position -= sequence.length - length;
    sequence.length = length;
    if (!length) sequence.evicted = 0;
  }

  /** Makes sequence `id`, without pages, one with the tokens of another. */
  share(id: number, { pages, ...rest }: Sequence): void {
    for (const page of pages) if (page) page.uses++;
    this.sequences.set(id, { ...rest, pages: pages.slice() });
  }

  /** Sequence i of `given`, by default of all, becomes one with the tokens that the i-th of `from` has. */
  reorder(operation: string, from: ArrayLike<number>, given?: ArrayLike<number>): void {
    const ids = given === undefined ? [...this.sequences.keys()] : copyOf(given, countOf(given));
    ids.forEach((id, i) => {
      this.sequence(operation, `sequences[${i}]`, id);
      if (ids.indexOf(id) === i) return;
      throw new ArgumentError(operation, `sequences[${i}]`, "each sequence once", `${id} again`);
    });
    const count = countOf(from);
    if (count !== ids.length) {
      const expected = `one sequence for each of ${ids.length}`;
      throw new ArgumentError(operation, "from", expected, describe(from));
    }
    const sources = copyOf(from, count).map((id, i) => this.sequence(operation, `from[${i}]`, id));
    // Those that stay as they are need not be touched; pages are shared before any is released.
    const before = ids.map((id) => this.sequences.get(id) as Sequence);
    ids.forEach((id, i) => {
      if (sources[i] !== before[i]) this.share(id, sources[i] as Sequence);
    });
    before.forEach((sequence, i) => {
      if (sources[i] !== sequence) this.cut(sequence, 0);
    });
  }

  /** Releases a sequence's pages from `index` on. */
  cut(sequence: Sequence, index: number): void {
    for (const page of sequence.pages.splice(index)) if (page) this.pages.release(page);
  }

  toJSON(): object {
    const { numbers, keyValueHeads, headSize, valueSize, pageSize } = this.sizes;
    const sequences = [...this.sequences].map(([id, { length }]) => [id, length]);
    return {
      keyValueHeads,
      headSize,
      valueSize,
      numbers: nameOf(numbers),
      pageSize,
      sequences: Object.fromEntries(sequences),
      pages: this.pages.count,
    };
  }

  dispose(): void {
    this.disposed = true;
    for (const sequence of this.sequences.values()) this.cut(sequence, 0);
    this.sequences.clear();
    for (const holder of this.pages.holders) holder.clear();
  }
}

/** Bytes of a page: rows of keys [Hkv][pageSize], rows of values [Hkv][pageSize]. */
export function pageBytes(sizes: CacheSizes): number {
  const { keyValueHeads, headSize, valueSize, pageSize } = storedSizes(sizes);
  // Rows of few bits are read in thirty-twos, also the last.
  const behind = sizes.numbers ? 64 : 0;
  return keyValueHeads * pageSize * (headSize + valueSize) * 4 + behind;
}

/** `options` as they were read. */
export function checkSizes(operation: string, options: CacheOptions): CacheSizes {
  const { keyValueHeads, headSize, valueSize = headSize, pageSize = 128, numbers } = options;
  const { window, sinks = 0, rotary, cross = false, maximumBytes } = options;
  for (const [argument, value] of Object.entries({
    keyValueHeads,
    headSize,
    valueSize,
    pageSize,
  })) {
    checkCount(operation, argument, value);
  }
  if (window !== undefined) checkCount(operation, "window", window);
  if (!Number.isInteger(sinks) || sinks < 0 || sinks >= 2 ** 30) {
    throw new ArgumentError(operation, "sinks", "an integer from 0", describe(sinks));
  }
  if (sinks && window === undefined) {
    const expected = "no value without a window: all tokens are seen";
    throw new ArgumentError(operation, "sinks", expected, describe(sinks));
  }
  checkBoolean(operation, "cross", cross);
  for (const [argument, given] of Object.entries({ window, rotary })) {
    if (!cross || given === undefined) continue;
    throw new ArgumentError(operation, argument, "no value with cross: true", describe(given));
  }
  const sizes: CacheSizes = {
    numbers: checkNumbers(operation, numbers),
    keyValueHeads,
    headSize,
    valueSize,
    pageSize,
    window: window ?? Infinity,
    sinks,
    rotary,
    cross,
    maximumBytes: maximumBytes ?? Infinity,
  };
  const bytes = pageBytes(sizes);
  if (bytes > MOST_PAGE_BYTES) {
    const expected = `at most ${MOST_PAGE_BYTES} bytes a page`;
    throw new ArgumentError(operation, "pageSize", expected, `${pageSize}, which makes ${bytes}`);
  }
  if (maximumBytes !== undefined && !(typeof maximumBytes === "number" && maximumBytes >= bytes)) {
    const expected = `at least the ${bytes} bytes of a page`;
    throw new ArgumentError(operation, "maximumBytes", expected, describe(maximumBytes));
  }
  return sizes;
}

/** Tokens [from, to) that a sequence has, all of them there. */
export function checkRange(
  operation: string,
  { sizes }: CacheState,
  { length, evicted }: Sequence,
  from: number,
  to: number = length,
): [from: number, to: number] {
  for (const [argument, value, least] of [["from", from, 0] as const, ["to", to, from] as const]) {
    if (Number.isInteger(value) && value >= least && value <= length) continue;
    const expected = `an integer from ${least} to ${length}`;
    throw new ArgumentError(operation, argument, expected, describe(value));
  }
  if (from < evicted && to > sizes.sinks && from < to) {
    const expected = `tokens from ${evicted} on: those before are evicted, but for ${sizes.sinks} sinks`;
    throw new ArgumentError(operation, "from", expected, `${from}`);
  }
  return [from, to];
}

/** Caches whose sequences can go from one to the other. */
export function checkAlike(operation: string, from: CacheSizes, to: CacheSizes): void {
  if (from.numbers !== to.numbers) {
    const expected = `a cache of numbers "${nameOf(from.numbers)}"`;
    throw new ArgumentError(operation, "other", expected, `one of "${nameOf(to.numbers)}"`);
  }
  for (const size of ["keyValueHeads", "headSize", "valueSize"] as const) {
    if (from[size] === to[size]) continue;
    const expected = `a cache with ${size} = ${from[size]}`;
    throw new ArgumentError(operation, "other", expected, `${size} = ${to[size]}`);
  }
  if (rotaryDigest(from.rotary) === rotaryDigest(to.rotary)) return;
  const expected = "a cache with the same rotary embeddings";
  throw new ArgumentError(operation, "other", expected, "one with others");
}
