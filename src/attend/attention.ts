// The engine a caller holds. Everything else is a function that is handed it first, so that a bundle has
// what a program calls.

import { ArgumentError, DisposedError, describe } from "../errors";
import type { Variant } from "../instance/builds";
import { checkIdle, type Engine } from "../instance/instance";
import type { MemoryFigures } from "../memory/arena";
import { checkSignal, runAsync, runSync, type Steps, throwIfAborted } from "../run/steps";
import { AllocatedTensor } from "../tensor/allocated";
import { bindMethods } from "../tensor/binding";
import { checkDims } from "../tensor/dims";
import { disposeSymbol } from "../tensor/disposal";
import { GONE, inspected, inspectSymbol } from "../tensor/printing";
import type { Tensor } from "../tensor/tensor";
import { callAttend, checkAttend } from "./forward";
import {
  type Abortable,
  type AttendOptions,
  type AttendResult,
  type Exactly,
  readAttend,
  readAttendAsync,
} from "./options";

/**
 * An engine: attention in one linear memory, and what other functions of this package are handed first.
 * Made by `createAttention`; `Has` are the names of its extensions.
 */
export class Attention<Has extends string = never> {
  /** @internal */
  static readonly name = "Attention";
  #engine: Engine | undefined;
  /** Settles, never rejects, once the last asynchronous call has ended. */
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

  /** The extensions it was made with, by name; functions that need one ask for it in their types. */
  get extensions(): { readonly [Name in Has]: true } {
    const names = this.#running("extensions").extensions.map(({ name }) => [name, true]);
    return Object.fromEntries(names) as { readonly [Name in Has]: true };
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
  attend<const Options extends AttendOptions = Record<never, never>>(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    options?: Exactly<Options, AttendOptions>,
  ): AttendResult<Options> {
    const name = "attend";
    return this.run(name, (engine) =>
      callAttend(
        engine,
        checkAttend(
          name,
          query,
          key,
          value,
          readAttend(name, options === undefined ? {} : options),
        ),
      ),
    ) as AttendResult<Options>;
  }

  /**
   * `attend` without holding the calling thread: on the workers, or without them in slices of some
   * milliseconds, between which the event loop runs. The same bits. Calls run one after another;
   * others may be made meanwhile. Options and dims are read when it is called, the elements of
   * tensors and of masks until it settles; an `out` is written at its end.
   *
   * @throws As `attend`, and `signal.reason` if the signal aborts before the end; all by rejecting.
   */
  attendAsync<const Options extends AttendOptions & Abortable = Record<never, never>>(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    options?: Exactly<Options, AttendOptions & Abortable>,
  ): Promise<AttendResult<Options>> {
    const name = "attendAsync";
    return this.runAsync(name, () => {
      const { signal, ...given } = readAttendAsync(name, options === undefined ? {} : options);
      const call = checkAttend(name, query, key, value, given);
      return { signal, steps: (engine) => callAttend(engine, call) };
    }) as Promise<AttendResult<Options>>;
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
  run<Result>(operation: string, steps: (engine: Engine) => Steps<Result>): Result {
    const engine = this.#running(operation);
    return runSync(engine, steps(engine));
  }

  /**
   * @internal Runs the steps of a call after those before it; `prepare` checks and copies what it was
   * given now.
   */
  runAsync<Result>(
    operation: string,
    prepare: () => Abortable & { steps: (engine: Engine) => Steps<Result> },
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
      return runAsync(engine, operation, steps(engine), signal);
    });
    this.#last = result.catch(() => undefined);
    return result;
  }

  /** @internal The engine that runs, for what makes something in its memory. */
  running(operation: string): Engine {
    return this.#running(operation);
  }

  /** @internal The value itself if it is one. */
  static from(value: unknown): Attention | undefined {
    return typeof value === "object" && value !== null && #engine in value ? value : undefined;
  }

  #running(operation: string): Engine {
    if (!this.#engine)
      throw new DisposedError(operation, "attention", "an engine in use", "a disposed one");
    checkIdle(this.#engine, operation);
    return this.#engine;
  }
}

/**
 * The engine that a function was handed first.
 *
 * @throws ArgumentError for one that was forgotten, or not waited for.
 */
export function checkAttention(operation: string, value: unknown): Attention {
  const attention = Attention.from(value);
  if (attention) return attention;
  const expected = "an engine, await createAttention(), as the first argument";
  throw new ArgumentError(operation, "attention", expected, describe(value));
}
