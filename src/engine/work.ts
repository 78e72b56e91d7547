// How a call is run. An operation is written once, as steps: it checks, places its tensors, yields
// its work as a list of items, and takes the result; whoever runs the steps decides where and when
// the items are done. Whatever happens, the steps end, and give their memory back in `finally`.

import { DisposedError } from "../errors";
import type { Engine } from "./load";

/** Items of a kernel's call, see assembly/attend/forward.ts. */
export interface Work {
  readonly items: number;
  /** Does some milliseconds of an item, from `key` 0 on; gives the key to go on from, 0 when done. */
  run(item: number, key: number): number;
}

export type Steps<Result> = Generator<Work, Result, void>;

/** All of it, before returning. */
export function runNow<Result>(steps: Steps<Result>): Result {
  let step = steps.next();
  while (!step.done) {
    const { items, run } = step.value;
    try {
      for (let item = 0; item < items; item++) {
        for (let key = run(item, 0); key; ) key = run(item, key);
      }
    } catch (error) {
      step = steps.throw(error);
      continue;
    }
    step = steps.next();
  }
  return step.value;
}

/** A slice of work is at most this and one part of an item, which lasts about as long. */
const SLICE_MS = 4;

/** The same in slices, between which the event loop runs. */
export async function runLater<Result>(
  engine: Engine,
  operation: string,
  steps: Steps<Result>,
  signal?: AbortSignal,
): Promise<Result> {
  let step = advance(engine, () => steps.next());
  while (!step.done) {
    try {
      await inSlices(engine, operation, step.value, signal);
    } catch (error) {
      step = advance(engine, () => steps.throw(error));
      continue;
    }
    step = advance(engine, () => steps.next());
  }
  return step.value;
}

/** Goes to the next work: what is placed until then has to stay while others use the engine. */
function advance<Step>(engine: Engine, go: () => Step): Step {
  engine.shared = true;
  try {
    return go();
  } finally {
    engine.shared = false;
  }
}

async function inSlices(
  engine: Engine,
  operation: string,
  { items, run }: Work,
  signal?: AbortSignal,
): Promise<void> {
  let end = performance.now() + SLICE_MS;
  for (let item = 0; item < items; item++) {
    let key = 0;
    do {
      if (performance.now() >= end) {
        await eventLoop();
        signal?.throwIfAborted();
        if (!engine.arena.reserved) {
          throw new DisposedError(operation, "attention", "an engine in use", "a disposed one");
        }
        end = performance.now() + SLICE_MS;
      }
      key = run(item, key);
    } while (key);
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
