// Any number of threads gives the same bits, and workers that fail never hang a call.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { syncBuiltinESMExports } from "node:module";
import { test } from "node:test";
import threads from "node:worker_threads";
import {
  ArgumentError,
  attendPacked,
  linear,
  MultiHeadAttention,
  prepareLinear,
  type Tensor,
  tensor,
} from "wasm-attention";
import { type AttendState, attendBackward, linearBackward } from "wasm-attention/training";
import { Control } from "../src/threads/control";
import { createWhole, engine, moduleBytes, randomArray, variants, type Whole } from "./engines";

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

const of = (dims: number[], seed: number) =>
  tensor(
    randomArray(
      dims.reduce((a, b) => a * b, 1),
      seed,
    ),
    dims,
  );

const bytesOf = (result: object) =>
  Object.entries(result).map(([name, { data }]: [string, Tensor]) => [
    name,
    Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64"),
  ]);

const [q, k, v] = [of([2, 6, 150, 32], 1), of([2, 2, 333, 32], 2), of([2, 2, 333, 48], 3)];
const few = of([2, 6, 5, 32], 4);
const rows = of([3, 100, 96], 5);
const matrix = (inputs: number, outputs: number, seed: number) => of([inputs, outputs], seed);

/** Each large enough to be shared. */
const calls: [name: string, call: (a: Whole) => object][] = [
  ["attend", (a) => a.attend(q, k, v, { logSumExp: true })],
  [
    "causal, weights, scores",
    (a) => a.attend(q, k, v, { causal: true, weights: true, scores: "biased" }),
  ],
  ["mean weights", (a) => a.attend(q, k, v, { weights: "mean" })],
  ["scoreMod", (a) => a.attend(q, k, v, { scoreMod: ({ scores }) => scores.fill(0.25) })],
  ["few queries", (a) => a.attend(few, of([2, 2, 3333, 32], 6), of([2, 2, 3333, 32], 7))],
  [
    "window, lengths",
    (a) => a.attend(q, k, v, { window: { left: 40, right: 3 }, keyLengths: [333, 100] }),
  ],
  [
    "attendPacked",
    (a) => {
      const x = of([900, 4, 32], 8);
      return attendPacked(a, x, x, x, { cumulativeQueries: [0, 1, 400, 400, 900] });
    },
  ],
  ["dropout", (a) => a.attend(q, k, v, { weights: true, dropout: { probability: 0.2, seed: 3 } })],
  [
    "attendBackward",
    (a) => {
      const options = {
        causal: true,
        alibi: { slopes: [1, 2, 3, 4, 5, 6] },
        sinks: [1, 2, 3, 4, 5, 6],
      };
      const state = a.attend(q, k, v, { ...options, logSumExp: true });
      const gradients = { alibi: true, sinks: true };
      const given = state as AttendState;
      return attendBackward(
        a,
        { ...given, query: q, key: k, value: v, outputGradient: of([2, 6, 150, 48], 12) },
        { ...options, gradients },
      );
    },
  ],
  [
    "attendBackward, one head, mask and dropout",
    (a) => {
      const [x, y] = [of([700, 32], 13), of([1500, 32], 14)];
      const options = { dropout: { probability: 0.1, seed: 5 }, softcap: 3 };
      const mask = { data: randomArray(1500, 15), dims: [1500] };
      const both = { ...options, mask };
      const state = a.attend(x, y, y, { ...both, logSumExp: true }) as AttendState;
      const masked = { ...both, gradients: { mask: true } };
      return {
        ...attendBackward(a, { ...state, query: x, key: y, value: y, outputGradient: x }, both),
        mask: attendBackward(a, { ...state, query: x, key: y, value: y, outputGradient: x }, masked)
          .maskGradient,
      };
    },
  ],
  [
    "attendBackward, a mask that all heads and batches add to",
    (a) => {
      const mask = { data: randomArray(150 * 333, 17), dims: [150, 333] };
      const state = a.attend(q, k, v, { mask, logSumExp: true }) as AttendState;
      const options = { mask, gradients: { mask: true } };
      return attendBackward(
        a,
        { ...state, query: q, key: k, value: v, outputGradient: of([2, 6, 150, 48], 18) },
        options,
      );
    },
  ],
  [
    "linearBackward",
    (a) => {
      using weight = prepareLinear(a, matrix(96, 200, 9), { order: "in,out" });
      return linearBackward(a, of([3, 100, 200], 16), rows, weight);
    },
  ],
  [
    "linear",
    (a) => {
      using weight = prepareLinear(a, matrix(96, 200, 9), { order: "in,out" });
      return { output: linear(a, rows, weight) };
    },
  ],
  [
    "forward",
    (a) => {
      const weights = {
        wq: matrix(96, 96, 1),
        wk: matrix(96, 96, 2),
        wv: matrix(96, 96, 3),
        dense: matrix(96, 96, 4),
      };
      using layer = MultiHeadAttention.fromMatrices(a, weights, { heads: 4 });
      return layer.forward(rows);
    },
  ],
  [
    "out, allocated and overlapping the query",
    (a) => {
      using x = a.allocate([1, 4, 300, 32]);
      x.data.set(of([1, 4, 300, 32], 10).data);
      return { output: { data: a.attend(x, x, x, { out: x }).output.data.slice() } };
    },
  ],
];

for (const variant of variants) {
  test(`the same bits from 1, 2, 3 and 5 threads, ${variant}`, async () => {
    using one = await engine(variant);
    const expected = calls.map(([, call]) => bytesOf(call(one)));
    assert.equal(one.threads, 1);
    assert.equal(one.threadsFallback, undefined);
    for (const count of [2, 3, 5]) {
      using many = await engine(variant, { threads: count });
      assert.equal(many.threads, count, many.threadsFallback);
      for (let round = 0; round < 3; round++) {
        for (const [index, [name, call]] of calls.entries()) {
          assert.deepEqual(bytesOf(call(many)), expected[index], `${name}, ${count} threads`);
        }
      }
      assert.equal(many.threads, count, many.threadsFallback);
    }
  });
}

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
const x = of([1, 4, 700, 32], 11);

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
      const expected = bytesOf(one.attend(x, x, x, options));
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
        assert.deepEqual(bytesOf(await call()), expected);
        await new Promise(setImmediate);
      }
      assert.equal(many.threads, 1);
      assert.match(many.threadsFallback ?? "", /a worker (has ended|failed|stopped answering)/);
      assert.deepEqual(bytesOf(await call()), expected);
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
    const inputs = seeds.map((seed) => of([1, 9, 200, 16 + seed], seed));
    const wanted = inputs.map((x) => bytesOf(one.attend(x, x, x)));
    for (let i = 0; i < (later ? 8 : 24); i++) {
      const x = inputs[i % 4];
      const got = later ? await many.attendAsync(x, x, x) : many.attend(x, x, x);
      assert.deepEqual(bytesOf(got), wanted[i % 4], `call ${i}`);
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
    const [x, y] = [of([2, 1, 1200, 64], 19), of([2, 1, 1200, 64], 20)];
    const state = attention.attend(x, x, x, { logSumExp: true }) as AttendState;
    const options = { queryLengths: [60, 1200] };
    using one = await createWhole();
    const want = bytesOf(
      attendBackward(one, { ...state, query: x, key: x, value: x, outputGradient: y }, options),
    );
    for (let i = 0; i < calls && !count; i++) {
      assert.deepEqual(
        bytesOf(
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
  const long = of([1, 8, 1500, 64], 12);
  using one = await createWhole();
  const expected = bytesOf(one.attend(long, long, long));
  started.length = 0;
  using many = await createWhole({ threads: 2 });
  const result = many.attendAsync(long, long, long);
  await new Promise((resolve) => setTimeout(resolve, 15));
  void started[0]?.terminate();
  assert.deepEqual(bytesOf(await result), expected);
  assert.equal(many.threads, 1);
});
