// The cache that a caller holds.

import { type Attention, checkAttention } from "../attend/attention";
import { callAttend } from "../attend/forward";
import type { Abortable, AttendResult, Exactly } from "../attend/options";
import { ArgumentError, DisposedError, describe } from "../errors";
import type { Engine } from "../instance/instance";
import { positionsOf } from "../positions/module";
import { bindMethods } from "../tensor/binding";
import { disposeSymbol } from "../tensor/disposal";
import { GONE, inspected, inspectSymbol } from "../tensor/printing";
import type { Tensor } from "../tensor/tensor";
import { appendSteps } from "./append";
import { checkCacheAttend } from "./attend";
import { cacheOf } from "./module";
import {
  type AppendOptions,
  type CacheAttendOptions,
  type CacheOptions,
  readAppend,
  readCacheAttend,
  readCacheAttendAsync,
  readCacheOptions,
} from "./options";
import { checkRotary } from "./rotary";
import { CacheState, checkSizes } from "./state";

/** A cache that nobody holds any more gives its pages back. */
const forgotten = new FinalizationRegistry((state: CacheState) => state.dispose());

/**
 * Keys and values of the tokens of any number of sequences, in pages in the engine's memory. Made by
 * `createCache`.
 */
export class AttentionCache {
  /** @internal */
  static readonly name = "AttentionCache";
  #attention: Attention;
  #state: CacheState | undefined;

  /** @internal `state` is of this engine. */
  constructor(attention: Attention, state: CacheState) {
    this.#attention = attention;
    this.#state = state;
    bindMethods(this, AttentionCache.prototype);
    forgotten.register(this, state, this);
  }

  /** @internal The value itself if it is one. */
  static from(value: unknown): AttentionCache | undefined {
    return typeof value === "object" && value !== null && #state in value ? value : undefined;
  }

  /** The numbers of the sequences there are, in order. */
  get sequences(): readonly number[] {
    return [...this.#inUse("sequences").sequences.keys()];
  }

  /** Pages there are, and their bytes, which `attention.memory` counts too. */
  get memory(): { readonly pages: number; readonly bytes: number } {
    const { count, bytes } = this.#inUse("memory").pages;
    return { pages: count, bytes: count * bytes };
  }

  /** Begins a sequence without a token; its number, which no other will have. */
  begin(): number {
    return this.#inUse("begin").begin();
  }

  /**
   * Tokens of a sequence, those that were let go of included.
   *
   * @throws ArgumentError for what is no sequence, DisposedError for one that was released.
   */
  length(sequence = 0): number {
    return this.#inUse("length").sequence("length", "sequence", sequence).length;
  }

  /**
   * Adds tokens to the ends of sequences: key [B, Hkv, L, D] and value [B, Hkv, L, Dv], or as `layout`
   * says; row b of the batch goes to `sequences[b]`.
   *
   * @throws ArgumentError, MemoryError (also past `maximumBytes`), DisposedError; nothing is added then.
   */
  append(key: Tensor, value: Tensor, options: AppendOptions = {}): void {
    const name = "append";
    const state = this.#inUse(name);
    const read = readAppend(name, options);
    this.#attention.run(name, (engine) =>
      appendSteps(engine, this.#attention, state, { key, value }, read),
    );
  }

  /**
   * `attend` over the tokens of sequences: query [B, H, L, D], or as `layout` says, the last L tokens of
   * `sequences[b]`, so that tokens are appended first. The bits are those of one `attend` over all keys
   * and values.
   *
   * @throws ArgumentError, also for queries that would see tokens which a window has let go of;
   * MemoryError, DisposedError as `attend`.
   */
  attend<const Options extends CacheAttendOptions = Record<never, never>>(
    query: Tensor,
    options?: Exactly<Options, CacheAttendOptions>,
  ): AttendResult<Options> {
    const name = "attend";
    const state = this.#inUse(name);
    const read = readCacheAttend(name, options === undefined ? {} : options);
    return this.#attention.run(name, (engine) => {
      const { call } = checkCacheAttend(name, engine, this.#attention, state, query, read);
      return callAttend(engine, call);
    }) as AttendResult<Options>;
  }

  /**
   * `attend` without holding the calling thread; see `attendAsync` of the engine. It sees the sequences
   * as they are when it is called, whatever happens to them meanwhile.
   *
   * @throws As `attend`, and `signal.reason` if the signal aborts before the end; all by rejecting.
   */
  async attendAsync<const Options extends CacheAttendOptions & Abortable = Record<never, never>>(
    query: Tensor,
    options?: Exactly<Options, CacheAttendOptions & Abortable>,
  ): Promise<AttendResult<Options>> {
    const name = "attendAsync";
    const state = this.#inUse(name);
    const { signal, ...read } = readCacheAttendAsync(name, options === undefined ? {} : options);
    const engine = this.#attention.running(name);
    const attention = this.#attention;
    const { call, pages } = checkCacheAttend(name, engine, attention, state, query, read);
    for (const page of pages) page.uses++;
    try {
      const steps = () => ({ signal, steps: (engine: Engine) => callAttend(engine, call) });
      return (await attention.runAsync(name, steps)) as AttendResult<Options>;
    } finally {
      for (const page of pages) state.pages.release(page);
    }
  }

  /**
   * Drops the tokens of a sequence from `length` on: those that come next take their places.
   *
   * @throws ArgumentError for more than there are, or where a window has let go of tokens that the next
   * would see; DisposedError.
   */
  truncate(sequence: number, length: number): void {
    const name = "truncate";
    const state = this.#idle(name);
    const given = state.sequence(name, "sequence", sequence);
    if (!Number.isInteger(length) || length < 0 || length > given.length) {
      const expected = `an integer from 0 to ${given.length}`;
      throw new ArgumentError(name, "length", expected, describe(length));
    }
    const { window, pageSize } = state.sizes;
    const least = given.gone + window - 1;
    if (length > 0 && given.gone && length < least) {
      const expected = `0, or from ${least} on: tokens before ${given.gone} are let go of`;
      throw new ArgumentError(name, "length", expected, `${length}`);
    }
    state.cut(given, Math.ceil(length / pageSize));
    given.position -= given.length - length;
    given.length = length;
    if (!length) given.gone = 0;
  }

  /**
   * Begins a sequence with the tokens of another: pages are shared, and copied when one of the two
   * writes to them.
   *
   * @throws ArgumentError, DisposedError.
   */
  fork(sequence = 0): number {
    const state = this.#idle("fork");
    const from = state.sequence("fork", "sequence", sequence);
    const id = state.begin();
    state.share(id, from);
    return id;
  }

  /**
   * Each sequence goes on where another is: the i-th of `sequences` as the i-th of `from` was (beams that
   * were chosen). Pages are shared as by `fork`. All sequences in order by default.
   *
   * @throws ArgumentError, DisposedError; nothing is changed then.
   */
  reorder(from: ArrayLike<number>, sequences?: ArrayLike<number>): void {
    const name = "reorder";
    this.#idle(name).reorder(name, from, sequences);
  }

  /**
   * Lets go of a sequence and of the pages that no other shares; its number stays unused.
   *
   * @throws ArgumentError, DisposedError.
   */
  release(sequence: number): void {
    const state = this.#idle("release");
    state.cut(state.sequence("release", "sequence", sequence), 0);
    state.sequences.delete(sequence);
  }

  /** Gives all pages back; a second call does nothing. */
  dispose(): void {
    if (!this.#state) return;
    forgotten.unregister(this);
    this.#state.dispose();
    this.#state = undefined;
  }

  /** As `dispose()`, at the end of a `using` declaration's block. */
  [disposeSymbol](): void {
    this.dispose();
  }

  /** Its sizes, and the length of each sequence. */
  toJSON(): object {
    if (!this.#state) return GONE;
    const { sizes, sequences, pages } = this.#state;
    const { keyValueHeads, headSize, valueSize, pageSize } = sizes;
    const lengths = Object.fromEntries([...sequences].map(([id, { length }]) => [id, length]));
    return { keyValueHeads, headSize, valueSize, pageSize, sequences: lengths, pages: pages.count };
  }

  /** @internal */
  [inspectSymbol](_depth: number, options: object, inspect?: never): unknown {
    return inspected("AttentionCache", this.toJSON(), options, inspect);
  }

  /** As #inUse, while no call runs. */
  #idle(operation: string): CacheState {
    const state = this.#inUse(operation);
    this.#attention.running(operation);
    return state;
  }

  #inUse(operation: string): CacheState {
    if (this.#state) return this.#state;
    throw new DisposedError(operation, "cache", "a cache in use", "a disposed one");
  }
}

/**
 * A cache of keys and values for decoding, in the memory of an engine with the extension `cache`. Memory
 * grows by a page of `pageSize` tokens at a time, and what is there stays where it is.
 *
 * @throws ArgumentError for options of the wrong type or range, or an engine without the extension.
 */
export function createCache(attention: Attention<"cache">, options: CacheOptions): AttentionCache {
  const name = "createCache";
  const given = checkAttention(name, attention);
  const engine = given.running(name);
  cacheOf(engine, name);
  const read = readCacheOptions(name, options);
  const sizes = checkSizes(name, read);
  if (sizes.rotary) positionsOf(engine, name);
  const rotary = checkRotary(name, given, sizes);
  const { sequences = 1 } = read;
  if (!Number.isInteger(sequences) || sequences < 0 || sequences >= 2 ** 24) {
    throw new ArgumentError(name, "sequences", "an integer from 0", describe(sequences));
  }
  const state = new CacheState(engine.arena, { ...sizes, rotary });
  for (let count = 0; count < sequences; count++) state.begin();
  return new AttentionCache(given, state);
}
