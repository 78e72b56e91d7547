// How a call is run. An operation is written once, as steps: it checks, stages its tensors, yields
// its work as a list of items, and copies the result out; whoever runs the steps decides where and when
// the items are done. Whatever happens, the steps end, and give their memory back in `finally`.

import { ArgumentError, DisposedError, describe } from "../errors";
import type { Engine } from "../instance/instance";
import type { Module } from "../instance/modules";

/** Items of a kernel's call, see assembly/core.ts. */
export interface Work {
  readonly module: number;
  readonly kernel: number;
  readonly items: number;
  /** Threads that the call's scratch is made for. */
  readonly threads: number;
  /** Address of the call's frame. */
  readonly call: number;
  /** Around each part of an item, for work that only the calling thread can do. */
  readonly around?: ((part: () => number) => number) | undefined;
  /** Moves the call to memory that no worker knows of. */
  move(): void;
}

/** Yields its work, or nothing where a long copy may be interrupted. */
export type Steps<Result> = Generator<Work | undefined, Result, void>;

/** Below so many multiply-adds, waking a worker costs more than it helps. */
const LEAST_SHARED = 1e6;

/** Threads for a call of so many multiply-adds. */
export function threadsFor({ pool }: Engine, multiplyAdds: number): number {
  return pool?.idle && multiplyAdds >= LEAST_SHARED ? pool.threads : 1;
}

/** All of it, before returning. */
export function runSync<Result>(engine: Engine, steps: Steps<Result>): Result {
  let step = steps.next();
  while (!step.done) {
    const work = step.value;
    try {
      const onPool = work && work.threads > 1 && engine.pool?.idle;
      if (work && !(onPool && engine.pool?.run(work, engine.modules))) {
        if (onPool) work.move();
        for (let item = 0; item < work.items; item++) {
          for (let key = part(engine, work, item, 0); key; ) key = part(engine, work, item, key);
        }
      }
    } catch (error) {
      step = steps.throw(error);
      continue;
    }
    step = steps.next();
  }
  return step.value;
}

/** Some milliseconds of an item, from `key` 0 on; gives the key to go on from, 0 when it is done. */
function part({ modules }: Engine, work: Work, item: number, key: number): number {
  const { kernel, call, around } = work;
  const module = modules[work.module] as Module;
  if (!around) return module.run(kernel, call, item, 0, key);
  return around(() => module.run(kernel, call, item, 0, key));
}

/** A slice of work is at most this and one part of an item, which lasts about as long. */
const SLICE_MS = 4;

/** The same on the workers alone, or without them in slices, between which the event loop runs. */
export async function runAsync<Result>(
  engine: Engine,
  operation: string,
  steps: Steps<Result>,
  signal?: AbortSignal,
): Promise<Result> {
  const check = () => {
    throwIfAborted(signal);
    if (engine.arena.reserved) return;
    throw new DisposedError(operation, "attention", "an engine in use", "a disposed one");
  };
  let end = performance.now() + SLICE_MS;
  const breathe = async () => {
    if (performance.now() < end) return;
    await eventLoop();
    check();
    end = performance.now() + SLICE_MS;
  };
  let step = advance(engine, () => steps.next());
  while (!step.done) {
    const work = step.value;
    try {
      if (!work || !(await onWorkers(engine, work, signal))) {
        for (let item = 0; item < (work?.items ?? 0); item++) {
          let key = 0;
          do {
            await breathe();
            key = part(engine, work as Work, item, key);
          } while (key);
        }
      }
      await breathe();
      // Whoever was told of something meanwhile may have disposed the engine.
      check();
    } catch (error) {
      step = advance(engine, () => steps.throw(error));
      continue;
    }
    step = advance(engine, () => steps.next());
  }
  return step.value;
}

/** An aborted call does not begin. */
export function checkSignal(operation: string, signal: unknown): void {
  if (signal === undefined) return;
  const given = signal as AbortSignal | null;
  // Of any realm, and of a page that a test runner makes up.
  if (typeof given !== "object" || typeof given?.aborted !== "boolean") {
    throw new ArgumentError(operation, "signal", "an AbortSignal", describe(signal));
  }
  throwIfAborted(given);
}

/** Older made-up signals lack the method of this name. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw signal.reason;
}

/** Whether the workers have done it, or would have but for `signal`. */
async function onWorkers(engine: Engine, work: Work, signal?: AbortSignal): Promise<boolean> {
  const { arena, pool } = engine;
  if (work.threads === 1 || !pool?.idle) return false;
  const complete = await pool.runAsync(work, () => signal?.aborted || !arena.reserved);
  if (!complete && arena.reserved) work.move();
  return complete;
}

/** Goes to the next work: what is staged until then has to stay while others use the engine. */
function advance<Step>(engine: Engine, go: () => Step): Step {
  engine.concurrent = true;
  try {
    return go();
  } finally {
    engine.concurrent = false;
  }
}

/** Node, Deno and Bun have it, browsers do not. */
const { setImmediate } = globalThis as { setImmediate?: (callback: () => void) => void };

/** Lets everything that waits run: a timer would wait four milliseconds in a browser. */
function eventLoop(): Promise<void> {
  return new Promise((resolve) => {
    if (setImmediate) setImmediate(resolve);
    else if (typeof MessageChannel === "function") {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => {
        port1.close();
        resolve();
      };
      port2.postMessage(0);
    } else setTimeout(resolve, 0);
  });
}
