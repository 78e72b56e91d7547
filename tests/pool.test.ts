// What a call leaves behind in its workers: none of them inside, and no block in other hands that one of
// them may still write to.

import assert from "node:assert/strict";
import { syncBuiltinESMExports } from "node:module";
import { test } from "node:test";
import threads from "node:worker_threads";
import { createAttention, tensor } from "wasm-attention";
import { Control } from "../src/threads/control";
import { randomArray } from "./engines";

/** Put before the text of the next workers, and what the last one shares with its pool. */
let before = "";
let control = new Int32Array(0);
const Original = threads.Worker;
threads.Worker = class extends Original {
  constructor(source: string, options: threads.WorkerOptions) {
    super(before + source, options);
    control = options.workerData.control;
  }
} as typeof threads.Worker;
syncBuiltinESMExports();

const count = (of: Control) => Atomics.load(control, of);
const x = tensor(randomArray(6 * 900 * 64, 1), [1, 6, 900, 64]);

async function withWorker(text: string) {
  before = text;
  const attention = await createAttention({ threads: 2, reproducible: true });
  before = "";
  assert.equal(attention.threads, 2, attention.threadsFallback);
  return attention;
}

const LATE_MS = 100;
/** What a worker that has taken items counts for; one that only looks whether a call is open is 1. */
const WORKING = 1000;
/** A worker that is slow to leave a call it took part in. */
const late = `{ const { add, sub } = Atomics; let working = 0;
  Atomics.add = (of, index, by) => {
    if (index === ${Control.next} && !working) add(of, ${Control.inside}, working = ${WORKING});
    return add(of, index, by);
  };
  Atomics.sub = (of, index, by) => {
    const end = performance.now() + (working ? ${LATE_MS} : 0);
    while (performance.now() < end);
    const all = by + working;
    working = 0;
    return sub(of, index, all);
  }; }`;

test("a call returns when no worker is inside it", { timeout: 60_000 }, async () => {
  using attention = await withWorker(late);
  // The calling thread may do all by itself before the worker wakes: then there is nothing to wait for.
  for (let waited = 0; waited < 3; ) {
    const start = performance.now();
    attention.attend(x, x, x);
    assert.ok(count(Control.inside) < WORKING);
    if (performance.now() - start > LATE_MS) waited++;
  }
});

test("an asynchronous call settles when no worker is inside it", async () => {
  using attention = await withWorker(late);
  for (let round = 0; round < 3; round++) {
    await attention.attendAsync(x, x, x);
    assert.ok(count(Control.inside) < WORKING);
  }
});

test("a block that a lost worker may write to stays out of use until its end", async () => {
  using attention = await withWorker(`{ const add = Atomics.add; let n = 0;
    Atomics.add = (...of) => { if (++n === 4) for (;;); return add(...of); }; }`);
  const { used } = attention.memory;
  using alone = await createAttention({ reproducible: true });
  const expected = alone.attend(x, x, x).output.data;
  const deadline = performance.now() + 30_000;
  // The first calls may end before the worker comes to where it hangs.
  while (attention.threads > 1 && performance.now() < deadline) {
    const { output } = attention.attend(x, x, x);
    if (attention.threads === 1) assert.ok(attention.memory.used > used, "given to others at once");
    assert.deepEqual(output.data, expected);
    await new Promise(setImmediate);
  }
  assert.equal(attention.threads, 1);
  while (attention.memory.used !== used && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.equal(attention.memory.used, used);
});
