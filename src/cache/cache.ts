// The cache that a caller holds.

import type { Attention } from "../attend/attention";
import { callAttend } from "../attend/forward";
import type { Abortable, AttendResult, Exactly } from "../attend/options";
import { registerSharded } from "../attend/sharded";
import { ArgumentError, DisposedError, describe } from "../errors";
import type { Engine } from "../instance/instance";
import { registerCache } from "../layer/cached";
import { bindMethods } from "../tensor/binding";
import { disposeSymbol } from "../tensor/disposal";
import { GONE, inspected, inspectSymbol } from "../tensor/printing";
import type { Tensor } from "../tensor/tensor";
import { appendRows } from "./append";
import { checkCacheAttend } from "./attend";
import { addLayer, checkLayerHeads } from "./layer";
import {
  type AppendOptions,
  type CacheAttendOptions,
  readAppend,
  readCacheAttend,
  readCacheAttendAsync,
  type TokenRange,
} from "./options";
import type { CachedRows } from "./read";
import { shardOf } from "./shard";
import { readShift, type ShiftOptions, shiftSteps } from "./shift";
import type { CacheState } from "./state";
import {
  copySequence,
  type ExportOptions,
  exportSequence,
  importSequence,
  type Parts,
  readSequence,
} from "./stored";

/** A cache that is collected without having been disposed gives its pages back, where engines can say so. */
const forgotten =
  typeof FinalizationRegistry === "function"
    ? /* @__PURE__ */ new FinalizationRegistry<CacheState>((state) => state.dispose())
    : undefined;

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
    forgotten?.register(this, state, this);
    const { cross } = state.sizes;
    registerCache(this, {
      attention,
      cross,
      check: (...asked) => checkLayerHeads(state.sizes, ...asked),
      add: (...call) => addLayer(attention, state, ...call),
    });
    registerSharded(this, shardOf(attention, state));
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
  get memory(): {
    /** Of all sequences, those that are shared once. */
    readonly pages: number;
    /** Of these pages. */
    readonly bytes: number;
  } {
    const { count, bytes } = this.#inUse("memory").pages;
    return { pages: count, bytes: count * bytes };
  }

  /** Begins a sequence without a token; its number, which no other will have. */
  begin(): number {
    return this.#inUse("begin").begin();
  }

  /**
   * Tokens of a sequence, those that were evicted included.
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
    appendRows(name, this.#attention, state, { key, value }, read);
  }

  /**
   * `attend` over the tokens of sequences: query [B, H, L, D], or as `layout` says, the last L tokens of
   * `sequences[b]`, so that tokens are appended first. The bits are those of one `attend` over all keys
   * and values.
   *
   * @throws ArgumentError, also for queries that would see tokens which a window has evicted;
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
      const { call } = checkCacheAttend(name, this.#attention, state, query, read);
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
    const { call, pages } = checkCacheAttend(name, this.#attention, state, query, read);
    const steps = (engine: Engine) => callAttend(engine, call);
    const result = this.#attention.runAsync(name, () => ({ signal, steps }));
    return state.pages.during(pages, result) as Promise<AttendResult<Options>>;
  }

  /**
   * Drops the tokens of a sequence from `length` on: those that come next take their places.
   *
   * @throws ArgumentError for more than there are, or where a window has evicted tokens that the next
   * would see; DisposedError.
   */
  truncate(sequence: number, length: number): void {
    this.#idle("truncate").truncate("truncate", sequence, length);
  }

  /**
   * Begins a sequence with the tokens of another: pages are shared, and copied when one of the two
   * writes to them.
   *
   * @throws ArgumentError, DisposedError.
   */
  fork(sequence = 0): number {
    return this.#idle("fork").fork("fork", sequence);
  }

  /**
   * Each sequence goes on where another is: the i-th of `sequences` as the i-th of `from` was (beams that
   * were chosen). Pages are shared as by `fork`. All sequences in order by default.
   *
   * @throws ArgumentError, DisposedError; nothing is changed then.
   */
  reorder(from: ArrayLike<number>, sequences?: ArrayLike<number>): void {
    this.#idle("reorder").reorder("reorder", from, sequences);
  }

  /**
   * Ends a sequence and gives back the pages that no other shares; its number stays unused.
   *
   * @throws ArgumentError, DisposedError.
   */
  release(sequence: number): void {
    this.#idle("release").release("release", sequence);
  }

  /**
   * Tokens [from, to) of a sequence, all by default, as key [1, Hkv, n, D] and value [1, Hkv, n, Dv]; keys
   * as they are stored, rotated where the cache rotates.
   *
   * @throws ArgumentError, also for tokens that a window has evicted; MemoryError, DisposedError.
   */
  read(sequence = 0, range: TokenRange = {}): CachedRows {
    return readSequence(this.#parts("read"), sequence, range);
  }

  /**
   * A sequence as bytes, to be imported into a cache of the same sizes on any machine; whatever its page
   * size. They carry a version and a checksum.
   *
   * @throws ArgumentError, also where a number is too large for `"float16"`; MemoryError, DisposedError.
   */
  export(sequence = 0, options: ExportOptions = {}): Uint8Array<ArrayBuffer> {
    return exportSequence(this.#parts("export"), sequence, options);
  }

  /**
   * Begins a sequence with the tokens of exported bytes; its number.
   *
   * @throws ArgumentError for bytes that are damaged or of other sizes; MemoryError, DisposedError.
   */
  import(bytes: Uint8Array): number {
    return importSequence(this.#parts("import"), bytes);
  }

  /**
   * Begins a sequence of another cache, also of another engine, with the tokens of one of this; its
   * number there.
   *
   * @throws ArgumentError unless both have the same sizes and rotary embeddings; MemoryError,
   * DisposedError.
   */
  copyTo(other: AttentionCache, sequence = 0): number {
    const name = "copyTo";
    const target = AttentionCache.from(other);
    if (!target) throw new ArgumentError(name, "other", "a cache", describe(other));
    return copySequence(this.#parts(name), target.#parts(name), sequence);
  }

  /**
   * Drops `drop` tokens after the first `keep` of a sequence, and moves those after them to the front:
   * where the cache has rotary embeddings their keys are rotated back by as many positions, as if the
   * dropped ones had never been.
   *
   * @throws ArgumentError, also for a cache with a window; MemoryError, DisposedError; nothing is changed
   * then.
   */
  shift(sequence: number, options: ShiftOptions): void {
    const name = "shift";
    const state = this.#inUse(name);
    const read = readShift(name, options);
    this.#attention.run(name, (engine) =>
      shiftSteps(engine, this.#attention, state, sequence, read),
    );
  }

  /** Gives all pages back; a second call does nothing. */
  dispose(): void {
    if (!this.#state) return;
    forgotten?.unregister(this);
    this.#state.dispose();
    this.#state = undefined;
  }

  /** As `dispose()`, at the end of a `using` declaration's block. */
  [disposeSymbol](): void {
    this.dispose();
  }

  /** Its sizes, and the length of each sequence. */
  toJSON(): object {
    return this.#state?.toJSON() ?? GONE;
  }

  /** @internal */
  [inspectSymbol](_depth: number, options: object, inspect?: never): unknown {
    return inspected("AttentionCache", this.toJSON(), options, inspect);
  }

  /** @internal What its functions are handed. */
  parts(operation: string): Parts {
    return { attention: this.#attention, state: this.#idle(operation) };
  }

  #parts(operation: string): Parts {
    return { attention: this.#attention, state: this.#inUse(operation) };
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
