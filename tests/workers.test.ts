// Workers start, end and fail, and never hang a call.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { syncBuiltinESMExports } from "node:module";
import { test } from "node:test";
import threads from "node:worker_threads";
import { ArgumentError } from "wasm-attention";
import { type AttendState, attendBackward } from "wasm-attention/training";
import { Control } from "../src/threads/control";
import { bitsOf, createWhole, moduleBytes, randomTensor } from "./engines";

type Kill = (source: string) => string;

/** Workers that were started, and what is done to the text of the next ones. */
const started: threads.Worker[] = [];
let change: Kill = (source) => source;
const Original = threads.Worker;
threads.Worker = class extends Original {
  constructor(source: string, options: threads.WorkerOptions) {
    super(change(source), options);
    started.push(this);
  }
} as typeof threads.Worker;
syncBuiltinESMExports();

const [q, k, v] = [
  randomTensor([2, 6, 150, 32], 1),
  randomTensor([2, 2, 333, 32], 2),
  randomTensor([2, 2, 333, 48], 3),
];
test("threads: what is not a number of them is refused, and asking for one starts no worker", async () => {
  for (const bad of [0, -1, 1.5, 257, Number.NaN, "two", null]) {
    await assert.rejects(createWhole({ threads: bad as number }), (error: Error) => {
      assert(error instanceof ArgumentError);
      assert.match(error.message, /"threads" expected "auto" or an integer from 1 to 256, got/);
      return true;
    });
  }
  await assert.rejects(createWhole({ worker: 1 as unknown as URL }), ArgumentError);
  const before = started.length;
  using one = await createWhole({ threads: 1 });
  assert.equal(one.threads, 1);
  assert.equal(started.length, before);
});

test('"auto" follows the hardware', async () => {
  const { availableParallelism } = await import("node:os");
  using auto = await createWhole({ threads: "auto" });
  assert.equal(auto.threads, Math.min(16, availableParallelism()));
});

test("a module of the caller's has one thread, and says why", async () => {
  const module = new WebAssembly.Module(moduleBytes("portable"));
  using attention = await createWhole({ module, threads: 2 });
  assert.equal(attention.threads, 1);
  assert.match(attention.threadsFallback ?? "", /`module` was given/);
});

test("workers do not keep a process alive, and dispose ends them", async () => {
  const script = `
    import { createAttention, tensor } from "wasm-attention";
    const a = await createAttention({ threads: 2 });
    const x = tensor(new Float32Array(4 * 200 * 32), [1, 4, 200, 32]);
    a.attend(x, x, x);
    const later = await a.attendAsync(x, x, x);
    console.log(a.threads, later.output.dims.join());`;
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
    cwd: new URL("..", import.meta.url),
    encoding: "utf8",
    timeout: 20_000,
  });
  assert.equal(stdout, "2 1,4,200,32\n", stderr);

  started.length = 0;
  const attention = await createWhole({ threads: 3 });
  assert.equal(started.length, 2);
  const ended = started.map((worker) => new Promise((resolve) => worker.once("exit", resolve)));
  attention.dispose();
  attention.dispose();
  await Promise.all(ended);
});

/** What befalls a worker at its `count`th atomic addition: at entering, at an item's start or end. */
const befalls = (count: number, what: string): Kill => {
  const counted = `{ const add = Atomics.add; let n = 0;
    Atomics.add = (...of) => { if (++n === ${count}) { ${what} } return add(...of); }; }`;
  return (source) => counted + source;
};

const exit = "process.exit()";
const hang = "for (;;);";
const fail = "throw new Error('no more')";
const x = randomTensor([1, 4, 700, 32], 11);

for (const later of [false, true]) {
  for (const [name, kill] of [
    ["exits as it enters a call", befalls(2, exit)],
    ["exits with an item taken", befalls(3, exit)],
    ["exits in the middle", befalls(8, exit)],
    ["hangs with an item taken", befalls(4, hang)],
    ["fails in the middle", befalls(9, fail)],
  ] as const) {
    test(`a worker ${name}${later ? ", attendAsync" : ""}`, { timeout: 60_000 }, async () => {
      using one = await createWhole();
      const options = { causal: true, weights: true } as const;
      const expected = bitsOf(one.attend(x, x, x, options));
      change = kill;
      using many = await createWhole({ threads: 2 }).finally(() => {
        change = (source) => source;
      });
      const { used } = many.memory;
      const call = () =>
        later ? many.attendAsync(x, x, x, options) : many.attend(x, x, x, options);
      // The first calls may end before the worker comes to where it fails.
      const deadline = performance.now() + 30_000;
      while (many.threads > 1 && performance.now() < deadline) {
        assert.deepEqual(bitsOf(await call()), expected);
        await new Promise(setImmediate);
      }
      assert.equal(many.threads, 1);
      assert.match(many.threadsFallback ?? "", /a worker (has ended|failed|stopped answering)/);
      assert.deepEqual(bitsOf(await call()), expected);
      // What the worker might have written to comes back once it is known to be gone.
      while (many.memory.used !== used && performance.now() < deadline) {
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      assert.equal(many.memory.used, used);
    });
  }
}

/** A worker that, where it has done an item, lingers inside the call. */
const lingers: Kill = (source) => `{ const add = Atomics.add;
  Atomics.add = (of, index, by) => {
    const before = add(of, index, by);
    for (const end = performance.now() + 3; index === ${Control.done} && performance.now() < end; );
    return before;
  }; }${source}`;

for (const later of [false, true]) {
  test(`a call${later ? " of attendAsync" : ""} ends when no worker is inside it any more`, async () => {
    using one = await createWhole();
    change = lingers;
    using many = await createWhole({ threads: 3 }).finally(() => {
      change = (source) => source;
    });
    // One item of another call that is taken for one of this is missing there.
    const seeds = [21, 22, 23, 24];
    const inputs = seeds.map((seed) => randomTensor([1, 9, 200, 16 + seed], seed));
    const wanted = inputs.map((x) => bitsOf(one.attend(x, x, x)));
    for (let i = 0; i < (later ? 8 : 24); i++) {
      const x = inputs[i % 4];
      const got = later ? await many.attendAsync(x, x, x) : many.attend(x, x, x);
      assert.deepEqual(bitsOf(got), wanted[i % 4], `call ${i}`);
    }
    assert.equal(many.threads, 3, many.threadsFallback);
  });
}

/** What a call with one long item makes of the calling thread's Atomics.wait. */
async function waits(wait: typeof Atomics.wait, calls: number): Promise<number> {
  const original = Atomics.wait;
  let count = 0;
  Atomics.wait = ((...of: Parameters<typeof original>) => {
    count++;
    return wait(...of);
  }) as typeof original;
  try {
    using attention = await createWhole({ threads: 2 });
    count = 0;
    // The calling thread takes the short item, and waits for the worker's.
    const [x, y] = [randomTensor([2, 1, 1200, 64], 19), randomTensor([2, 1, 1200, 64], 20)];
    const state = attention.attend(x, x, x, { logSumExp: true }) as AttendState;
    const options = { queryLengths: [60, 1200] };
    using one = await createWhole();
    const want = bitsOf(
      attendBackward(one, { ...state, query: x, key: x, value: x, outputGradient: y }, options),
    );
    for (let i = 0; i < calls && !count; i++) {
      assert.deepEqual(
        bitsOf(
          attendBackward(
            attention,
            { ...state, query: x, key: x, value: x, outputGradient: y },
            options,
          ),
        ),
        want,
      );
    }
    assert.equal(attention.threads, 2, attention.threadsFallback);
    return count;
  } finally {
    Atomics.wait = original;
  }
}

test("the calling thread sleeps while it waits for a worker", async () => {
  assert.ok((await waits(Atomics.wait, 20)) > 0);
});

test("workers that have gone to sleep between calls are woken", async () => {
  using attention = await createWhole({ threads: 2 });
  for (let call = 0; call < 3; call++) {
    // Far longer than they look for a call before they sleep.
    await new Promise((resolve) => setTimeout(resolve, 300));
    await attention.attendAsync(q, k, v);
    // Where nobody wakes them they are given up after a while.
    assert.equal(attention.threads, 2, `call ${call}: ${attention.threadsFallback}`);
  }
});

test("where a thread may not sleep, as a page's, it asks once", async () => {
  const refuse = () => {
    throw new TypeError("Atomics.wait cannot be called in this context");
  };
  assert.equal(await waits(refuse, 2), 0);
});

test("a worker that does not start: one thread, and why", async () => {
  change = () => "throw new Error('no workers here')";
  using attention = await createWhole({ threads: 3 }).finally(() => {
    change = (source) => source;
  });
  assert.equal(attention.threads, 1);
  assert.match(attention.threadsFallback ?? "", /no workers here/);
  assert.equal(attention.attend(q, k, v).output.dims.join(), "2,6,150,48");
});

test("terminating a worker in the middle of attendAsync", async () => {
  const long = randomTensor([1, 8, 1500, 64], 12);
  using one = await createWhole();
  const expected = bitsOf(one.attend(long, long, long));
  started.length = 0;
  using many = await createWhole({ threads: 2 });
  const result = many.attendAsync(long, long, long);
  await new Promise((resolve) => setTimeout(resolve, 15));
  void started[0]?.terminate();
  assert.deepEqual(bitsOf(await result), expected);
  assert.equal(many.threads, 1);
});
