// Faults in threads and in calls that do not hold the calling thread.

import type { Mutant } from "./mutant";

const threaded = ["portable-threads"];

export const threads: readonly Mutant[] = [
  {
    name: "rows begin before all keys are packed",
    file: "assembly/attend/forward.ts",
    find: "return item < start + packing ? start : start + packing;",
    replace: "return start;",
    tests: ["tests/threads.test.ts"],
    only: "the same bits",
    targets: threaded,
  },
  {
    name: "spans are merged before all are done",
    file: "assembly/attend/stream.ts",
    find: "return splits(frame) && item >= allSpans(frame) ? allSpans(frame) : 0;",
    replace: "return 0;",
    tests: ["tests/spans.test.ts"],
    only: "do not depend",
    targets: threaded,
  },
  {
    name: "every thread uses the scratch of the first",
    file: "assembly/linear.ts",
    find: "address(frame, Slot.scratch) + <usize>thread * threadBytes(frame);",
    replace: "address(frame, Slot.scratch);",
    tests: ["tests/threads.test.ts"],
    only: "the same bits",
    targets: threaded,
  },
  {
    name: "an item is taken without waiting for those it needs",
    file: "src/engine/control.ts",
    find: "while (Atomics.load(control, Control.done) < ready) if (!patience(true)) return false;",
    replace: "void ready;",
    tests: ["tests/threads.test.ts"],
    only: "the same bits",
  },
  {
    name: "sleeping workers are not woken",
    file: "src/engine/pool.ts",
    find: `    this.#turn();
    Atomics.notify(control, Control.state);`,
    replace: "    this.#turn();",
    tests: ["tests/async.test.ts"],
    only: "on workers",
  },
  {
    name: "a dead worker's block is used again at once",
    file: "src/engine/pool.ts",
    find: "await this.#ended;",
    replace: "",
    tests: ["tests/pool.test.ts"],
  },
  {
    name: "a call that failed ends the queue",
    file: "src/attention.ts",
    find: "this.#last = result.catch(() => undefined);",
    replace: "this.#last = result;",
    tests: ["tests/async.test.ts"],
    only: "in slices",
  },
  {
    name: "tensors disposed in flight are given to others",
    file: "src/engine/arena.ts",
    find: "if (this.#held.has(address)) {",
    replace: "if (!this.#blocks.has(address)) {",
    tests: ["tests/async.test.ts"],
    only: "in slices",
  },
  {
    name: "the mask's gradient is summed by two threads at once",
    file: "src/backward.ts",
    find: "const threads = wanted.mask ? 1 : threadsFor(engine, multiplyAdds);",
    replace: "const threads = threadsFor(engine, multiplyAdds);",
    tests: ["tests/threads.test.ts"],
    only: "the same bits",
  },
  {
    name: "a call does not wait for the workers inside",
    file: "src/engine/pool.ts",
    find: "const left = until(() => this.#count(Control.inside) === 0);",
    replace: "const left = true;",
    tests: ["tests/pool.test.ts"],
  },
  {
    name: "an asynchronous call does not wait for the workers inside",
    file: "src/engine/pool.ts",
    find: "while (this.#count(Control.inside) && goOn()) await this.#look();",
    replace: "",
    tests: ["tests/pool.test.ts"],
  },
  {
    name: "an abort is looked at when the workers have done all",
    file: "src/engine/work.ts",
    find: "() => signal?.aborted || !arena.reserved",
    replace: "() => !arena.reserved",
    tests: ["tests/async.test.ts"],
    only: "on workers: an abort",
  },
  {
    name: "an abort is looked at when all slices are done",
    file: "src/engine/work.ts",
    find: `    await eventLoop();
    check();`,
    replace: "    await eventLoop();",
    tests: ["tests/async.test.ts"],
    only: "in slices: (an )?abort",
  },
  {
    name: "a prepared weight is let go of while a call reads it",
    file: "src/engine/staging.ts",
    find: "    this.#read(slot, 0, address);",
    replace: "    this.#place(slot, 0, address);",
    tests: ["tests/async.test.ts"],
    only: "in slices: weights",
  },
];
