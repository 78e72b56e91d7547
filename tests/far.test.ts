// Numbers that 32 bits, or float32's 24, do not hold: positions, windows, distances, tiles and steps.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ArgumentError, attendPacked, type Tensor, tensor } from "wasm-attention";
import { type AttendState, attendBackward } from "wasm-attention/training";
import { createWhole, randomArray } from "./engines";

const FAR = 2 ** 30;
const filled = (dims: number[], x: number) =>
  tensor(new Float32Array(dims.reduce((a, b) => a * b, 1)).fill(x), dims);

for (const rows of [1, 3, 70]) {
  test(`a window of 2³⁰ at an offset of ±2³⁰, ${rows} queries`, async () => {
    const attention = await createWhole({ reproducible: true });
    const [q, k] = [filled([rows, 4], 1), filled([90, 4], 1)];
    const v = tensor(randomArray(90 * 4, 1), [90, 4]);
    const dy = tensor(randomArray(rows * 4, 2), [rows, 4]);
    const run = (options: object) => {
      const state = attention.attend(q, k, v, { ...options, logSumExp: true }) as AttendState;
      const backward = attendBackward(
        attention,
        { ...state, query: q, key: k, value: v, outputGradient: dy },
        options,
      );
      return [state.output, state.logSumExp, ...(Object.values(backward) as Tensor[])].map(
        ({ data }) => data,
      );
    };
    // Query 0 stands at 2³⁰ and sees every key from 0 on; query i from i on.
    assert.deepEqual(
      run({ queryOffset: FAR, window: { left: FAR, right: FAR } }),
      run({ window: { left: 0 } }),
    );
    assert.deepEqual(run({ queryOffset: FAR, window: { right: FAR } }), run({}));
    assert.deepEqual(run({ queryOffset: FAR, causal: true }), run({}));
    // Query 0 stands at −2³⁰ and sees key 0, query i keys 0 to i.
    assert.deepEqual(
      run({ queryOffset: -FAR, window: { left: FAR, right: FAR } }),
      run({ causal: true }),
    );
    const none = run({ queryOffset: FAR, window: { left: 9, right: FAR } });
    assert.ok(none.every((data, i) => data.every((x: number) => x === (i === 1 ? -Infinity : 0))));
  });
}

test("ALiBi distances past 2²⁴ are exact", async () => {
  const attention = await createWhole({ reproducible: true });
  const keys = 2 ** 24 + 64;
  const [k, v] = [filled([keys, 1], 0), tensor(new Float32Array(keys), [keys, 1])];
  v.data.set(randomArray(64, 3), keys - 64);
  for (const rows of [1, 3]) {
    const q = filled([rows, 1], 0);
    const [near, close] = [k, v].map(({ data }) => tensor(data.slice(keys - 64), [64, 1]));
    const window = { left: 40, right: 3 };
    for (const distance of ["absolute", "signed"] as const) {
      const alibi = { slopes: [0.25], distance };
      const options = { alibi, window, logSumExp: true };
      const far = attention.attend(q, k, v, { ...options, queryOffset: keys - 11 });
      const want = attention.attend(q, near, close, { ...options, queryOffset: 64 - 11 });
      assert.deepEqual(far.output.data, want.output.data, `${rows} ${distance}`);
      if (rows === 1 || distance === "signed") continue;
      const gradients = { alibi: true };
      const slopes = ([key, value]: (typeof k)[], state: typeof far, queryOffset: number) =>
        attendBackward(
          attention,
          { ...(state as AttendState), query: q, key, value, outputGradient: filled([rows, 1], 1) },
          {
            alibi,
            window,
            queryOffset,
            gradients,
          },
        ).slopesGradient?.data;
      assert.deepEqual(slopes([k, v], far, keys - 11), slopes([near, close], want, 64 - 11));
    }
  }
});

test("backward of 2³¹ tiles, of which a window leaves a few", async () => {
  const attention = await createWhole({ reproducible: true });
  const [heads, rows, keys] = [64, 2 ** 16, 2 ** 22];
  const q = filled([1, heads, rows, 1], 0);
  const k = filled([1, 1, keys, 1], 1);
  const v = filled([1, 1, keys, 1], 2);
  // The first 500 queries see the last 500 keys, each its own; no other sees any.
  const options = { queryOffset: keys - 500, window: { left: 0, right: 0 } };
  const state = attention.attend(q, k, v, { ...options, logSumExp: true }) as AttendState;
  const dy = filled([1, heads, rows, 1], 1);
  const got = attendBackward(
    attention,
    { ...state, query: q, key: k, value: v, outputGradient: dy },
    options,
  );
  const { data } = got.valueGradient;
  assert.ok(data.subarray(keys - 500).every((x) => x === heads));
  assert.ok(data.subarray(0, keys - 500).every((x) => x === 0));
});

test("more tiles than 32 bits count are refused", async () => {
  const attention = await createWhole({ reproducible: true });
  // A long sequence beside many short ones.
  const [long, batch] = [2 ** 17, 2 ** 15];
  const q = filled([long + batch, 16, 1], 1);
  const k = filled([long + batch, 1, 1], 1);
  const cumulativeQueries = Array.from({ length: batch + 1 }, (_, b) => (b ? long + b : 0));
  const { used } = attention.memory;
  assert.throws(
    () => attendPacked(attention, q, k, k, { cumulativeQueries }),
    (error: Error) =>
      error instanceof ArgumentError &&
      /attendPacked: .*at most 1073741824 tiles/.test(error.message),
  );
  assert.equal(attention.memory.used, used);
});
