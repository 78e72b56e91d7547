// The engine a caller holds, and everything it can do.

import { AllocatedTensor } from "./allocated";
import { callAttend, checkAttend } from "./attend";
import {
  type AttendGradients,
  type AttendState,
  attendBackward,
  type BackwardOptions,
} from "./backward";
import { bindMethods } from "./binding";
import { disposeSymbol } from "./disposal";
import type { MemoryFigures } from "./engine/arena";
import type { Variant } from "./engine/detect";
import { checkIdle, type Engine } from "./engine/load";
import { checkSignal, runLater, runNow, type Steps, throwIfAborted } from "./engine/work";
import { DisposedError } from "./errors";
import { type FrequencyOptions, type RopeFrequencies, ropeFrequencies } from "./frequencies";
import {
  checkPrepared,
  type LinearOptions,
  PreparedLinear,
  type PrepareOptions,
  readLinear,
  readPrepare,
} from "./linear";
import {
  type LinearBackwardOptions,
  type LinearGradients,
  readLinearBackward,
} from "./linear-backward";
import { type AttentionState, type MergeOptions, mergeStates, readMerge } from "./merge";
import {
  type AttendOptions,
  type AttendResult,
  type Later,
  readAttend,
  readAttendLater,
} from "./options";
import {
  attendPackedBackward,
  checkAttendPacked,
  type PackedBackwardOptions,
  type PackedOptions,
} from "./packed";
import { type SinusoidalOptions, sinusoidalPositions } from "./positions";
import { GONE, inspected, inspectSymbol } from "./printing";
import { type RotateOptions, rotate } from "./rotary";
import { selfTest } from "./selftest";
import { checkDims, type Tensor } from "./tensor";

/** Attention and the projections around it, in one linear memory. Made by `createAttention`. */
export class Attention {
  /** @internal */
  static readonly name = "Attention";
  #engine: Engine | undefined;
  /** Settles, never rejects, once the last call of `later` has ended. */
  #last: Promise<unknown> = Promise.resolve();
  #threadsFallback: string | undefined;

  /** @internal */
  constructor(engine: Engine, threadsFallback?: string) {
    this.#engine = engine;
    this.#threadsFallback = threadsFallback;
    bindMethods(this, Attention.prototype);
  }

  /** Which build runs: "relaxed" or "portable". */
  get variant(): Variant {
    return this.#running("variant").variant;
  }

  /** Whether a multiply-add rounds once here; always false for the portable build. */
  get fused(): boolean {
    return this.#running("fused").fused;
  }

  /** Threads that calls are run by, the calling one included: 1 without workers. */
  get threads(): number {
    return this.#running("threads").pool?.threads ?? 1;
  }

  /** Why `threads` is 1 although more were asked for: what is missing here, or what happened. */
  get threadsFallback(): string | undefined {
    return this.#running("threadsFallback").pool?.reason ?? this.#threadsFallback;
  }

  /** Linear memory in bytes, as it is now. */
  get memory(): MemoryFigures {
    const { used, reserved, maximum } = this.#running("memory").arena;
    return { used, reserved, maximum };
  }

  /**
   * softmax(scale · query·keyᵀ + bias) · value (Vaswani et al. 2017, "Attention is all you need",
   * computed as in Dao et al. 2022, "FlashAttention": memory grows with L + S, not L·S).
   *
   * Shapes in the default layout: query [B, H, L, D], key [B, Hkv, S, D], value [B, Hkv, S, Dv],
   * output [B, H, L, Dv]; Hkv divides H, and query head h reads key head ⌊h·Hkv/H⌋.
   * A row that may see no key gives 0, and logSumExp −Infinity. A masked key never contributes,
   * even if it holds NaN or Infinity.
   *
   * @throws ArgumentError for an argument of the wrong type, shape or range.
   * @throws MemoryError if linear memory cannot hold the call.
   * @throws DisposedError after `dispose()`, or for a disposed tensor.
   */
  attend(query: Tensor, key: Tensor, value: Tensor, options: AttendOptions = {}): AttendResult {
    const name = "attend";
    return this.now(name, (engine) =>
      callAttend(engine, checkAttend(name, query, key, value, readAttend(name, options))),
    );
  }

  /**
   * `attend` without holding the calling thread: on the workers, or without them in slices of some
   * milliseconds, between which the event loop runs. The same bits. Calls run one after another;
   * others may be made meanwhile. Options and dims are read when it is called, the elements of
   * tensors and of masks until it settles; an `out` is written at its end.
   *
   * @throws As `attend`, and `signal.reason` if the signal aborts before the end; all by rejecting.
   */
  attendAsync(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    options: AttendOptions & Later = {},
  ): Promise<AttendResult> {
    const name = "attendAsync";
    return this.later(name, () => {
      const { signal, ...given } = readAttendLater(name, options);
      const call = checkAttend(name, query, key, value, given);
      return { signal, steps: (engine) => callAttend(engine, call) };
    });
  }

  /**
   * Gradients of `attend`'s inputs (Dao 2023, "FlashAttention-2": weights are made anew from
   * logSumExp, memory grows with L + S). `outputGradient` is the gradient of the output, in its dims;
   * `state` is what `attend` gave with `logSumExp: true`; the options are those it was called with.
   *
   * Gradients have the dims of their tensors; heads that share a key and value head are summed. On
   * request (`gradients`) those of additive masks, of ALiBi's slopes and of the sinks come too. A
   * row that saw no key has gradient 0.
   *
   * @throws ArgumentError, MemoryError, DisposedError as `attend`; `scoreMod` is refused.
   */
  attendBackward(
    outputGradient: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    state: AttendState,
    options: BackwardOptions = {},
  ): AttendGradients {
    return this.now("attendBackward", (engine) =>
      attendBackward(engine, outputGradient, query, key, value, state, options),
    );
  }

  /**
   * `attend` over sequences of different lengths laid end to end, without padding (flash-attn's
   * varlen): query [T, H, D], key [Tk, Hkv, D], value [Tk, Hkv, Dv], output [T, H, Dv],
   * logSumExp [H, T]. Masks, block masks and per-batch options count sequences as batches, with
   * L and S the longest of each.
   *
   * @throws ArgumentError, MemoryError, DisposedError as `attend`.
   */
  attendPacked(query: Tensor, key: Tensor, value: Tensor, options: PackedOptions): AttendResult {
    return this.now("attendPacked", (engine) =>
      callAttend(engine, checkAttendPacked(query, key, value, options)),
    );
  }

  /**
   * Gradients of `attendPacked`'s inputs, as `attendBackward` gives them of `attend`'s.
   *
   * @throws ArgumentError, MemoryError, DisposedError as `attend`.
   */
  attendPackedBackward(
    outputGradient: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    state: AttendState,
    options: PackedBackwardOptions,
  ): AttendGradients {
    return this.now("attendPackedBackward", (engine) =>
      attendPackedBackward(engine, outputGradient, query, key, value, state, options),
    );
  }

  /**
   * Results of `attend` over disjoint sets of keys, made into the result over their union. Parts
   * that saw nothing (logSumExp −Infinity) weigh nothing. All in one layout; logSumExp [B, H, L].
   *
   * @throws ArgumentError, MemoryError, DisposedError as `attend`.
   */
  mergeStates(parts: readonly AttentionState[], options: MergeOptions = {}): AttentionState {
    const name = "mergeStates";
    return this.now(name, (engine) => mergeStates(engine, name, parts, readMerge(name, options)));
  }

  /**
   * Rotary embedding of queries or keys (Su et al. 2021, "RoFormer"): pairs of dimensions are
   * turned by position · frequency. x [B, H, L, D] or another layout; the result has its dims.
   *
   * @throws ArgumentError, MemoryError, DisposedError as `attend`.
   */
  rotate(x: Tensor, options: RotateOptions = {}): Tensor {
    return this.now("rotate", (engine) => rotate(engine, x, options));
  }

  /**
   * Frequencies of rotary pairs, base^(−2i/D), with the scalings that stretch a model's context.
   *
   * @throws ArgumentError for a size, base or factor out of range.
   */
  ropeFrequencies(options: FrequencyOptions): RopeFrequencies {
    return ropeFrequencies(this.#running("ropeFrequencies").kernels, options);
  }

  /**
   * The sinusoidal table of Vaswani et al. 2017, section 3.5: [L, size], to be added to embeddings.
   *
   * @throws ArgumentError for a size, base or position out of range.
   */
  sinusoidalPositions(options: SinusoidalOptions): Tensor {
    return sinusoidalPositions(this.#running("sinusoidalPositions").kernels, options);
  }

  /**
   * Packs a weight matrix and its bias for `linear`: [out, in] with order `"out,in"` (PyTorch) or
   * [in, out] with `"in,out"` (Keras, plain x·W). It lies in linear memory until disposed.
   *
   * @throws ArgumentError, MemoryError, DisposedError as `attend`.
   */
  prepareLinear(weight: Tensor, options: PrepareOptions): PreparedLinear {
    const name = "prepareLinear";
    return this.prepare(name, weight, readPrepare(name, options));
  }

  /** @internal Options as they were read; `of` comes before the names of the arguments. */
  prepare(operation: string, weight: Tensor, options: PrepareOptions, of?: string): PreparedLinear {
    return new PreparedLinear(this.#running(operation), operation, weight, options, of);
  }

  /**
   * x · W + bias over the last axis: [..., in] → [..., out].
   *
   * @throws ArgumentError, MemoryError, DisposedError as `attend`.
   */
  linear(x: Tensor, prepared: PreparedLinear, options: LinearOptions = {}): Tensor {
    const name = "linear";
    return this.now(name, (engine) =>
      checkPrepared(name, prepared).apply(engine, name, x, readLinear(name, options)),
    );
  }

  /**
   * Gradients of `linear`'s x, weight and bias: outputGradient [..., out], x [..., in] as it was
   * given. The weight's is in the order it was prepared in; see `PreparedLinear.update`.
   *
   * @throws ArgumentError, MemoryError, DisposedError as `attend`.
   */
  linearBackward(
    outputGradient: Tensor,
    x: Tensor,
    prepared: PreparedLinear,
    options: LinearBackwardOptions = {},
  ): LinearGradients {
    const name = "linearBackward";
    return this.now(name, (engine) => {
      const read = readLinearBackward(name, options);
      return checkPrepared(name, prepared).applyBackward(engine, name, outputGradient, x, read);
    });
  }

  /**
   * A tensor in linear memory, not initialised: calls read and write it in place.
   *
   * @throws ArgumentError for dims that are not sizes; MemoryError; DisposedError.
   */
  allocate(dims: readonly number[]): AllocatedTensor {
    const { arena } = this.#running("allocate");
    return new AllocatedTensor(arena, checkDims("allocate", "dims", dims));
  }

  /**
   * Asks every kind of kernel for answers that are known, in a tenth of a second;
   * `createAttention` asks for two of them.
   *
   * @throws UnsupportedError with the number that is wrong; DisposedError.
   */
  selfTest(): void {
    this.#running("selfTest");
    selfTest("selfTest", this);
  }

  /** Lets go of the linear memory and everything in it, and ends its workers; a second call does nothing. */
  dispose(): void {
    if (this.#engine) checkIdle(this.#engine, "dispose");
    this.#engine?.pool?.retire("the engine is disposed");
    this.#engine?.arena.dispose();
    this.#engine = undefined;
  }

  /** As `dispose()`, at the end of a `using` declaration's block. */
  [disposeSymbol](): void {
    this.dispose();
  }

  /** What runs, by how many threads, and its memory. */
  toJSON(): object {
    if (!this.#engine) return GONE;
    const { variant, fused, pool, arena } = this.#engine;
    const { used, reserved, maximum } = arena;
    const threads = pool?.threads ?? 1;
    return { variant, fused, threads, memory: { used, reserved, maximum } };
  }

  /** @internal */
  [inspectSymbol](_depth: number, options: object, inspect?: never): unknown {
    return inspected("Attention", this.toJSON(), options, inspect);
  }

  /** @internal Runs the steps of a call. */
  now<Result>(operation: string, steps: (engine: Engine) => Steps<Result>): Result {
    const engine = this.#running(operation);
    return runNow(engine, steps(engine));
  }

  /**
   * @internal Runs the steps of a call after those before it; `prepare` checks and copies what it was
   * given now.
   */
  later<Result>(
    operation: string,
    prepare: () => Later & { steps: (engine: Engine) => Steps<Result> },
  ): Promise<Result> {
    try {
      const { signal, steps } = prepare();
      checkSignal(operation, signal);
      return this.#after(operation, steps, signal);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #after<Result>(
    operation: string,
    steps: (engine: Engine) => Steps<Result>,
    signal: AbortSignal | undefined,
  ): Promise<Result> {
    const result = this.#last.then(() => {
      throwIfAborted(signal);
      const engine = this.#running(operation);
      return runLater(engine, operation, steps(engine), signal);
    });
    this.#last = result.catch(() => undefined);
    return result;
  }

  #running(operation: string): Engine {
    if (!this.#engine)
      throw new DisposedError(operation, "attention", "an engine in use", "a disposed one");
    checkIdle(this.#engine, operation);
    return this.#engine;
  }
}
