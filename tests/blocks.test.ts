// Embeddings and cross-entropy against float64, the fused linear against its parts; any number of threads
// and asynchronous calls give the same bits.

import assert from "node:assert/strict";
import { test } from "node:test";
import { linear, prepareLinear, type Tensor, tensor } from "wasm-attention";
import * as blocks from "wasm-attention/blocks";
import { bitsOf, engine, randomArray, randomTensor, variants, type Whole } from "./engines";
import { shareOfTolerance, ulp } from "./reference";
import { crossEntropy, differences } from "./reference-blocks";

const { activate, activateBackward, embedding, embeddingBackward, fusedLinear } = blocks;
type Round = typeof Math.fround;

const names = ["relu", "gelu", "gelu-tanh", "silu"] as const;

for (const variant of variants) {
  test(`fusedLinear: linear and what follows it, to the bit, ${variant}`, async () => {
    for (const threads of [1, 2]) {
      using attention = await engine(variant, { threads });
      const { used } = attention.memory;
      for (const [rows, depth, columns] of [
        [1, 1, 1],
        [3, 7, 9],
        [63, 31, 33],
        [65, 257, 300],
        [200, 128, 513],
        [0, 3, 5],
      ]) {
        const x = randomTensor([rows, depth], 1);
        const residual = randomTensor([rows, columns], 4);
        const prepare = (seed: number) =>
          prepareLinear(attention, randomTensor([depth, columns], seed), {
            order: "in,out",
            bias: randomArray(columns, -seed),
          });
        using weight = prepare(2);
        using gate = prepare(3);
        const sum = (a: Tensor) => a.data.map((value, i) => value + residual.data[i]);
        const [y, g] = [weight, gate].map((each) => linear(attention, x, each));
        assert.deepEqual(fusedLinear(attention, x, weight).data, y.data);
        for (const activation of names) {
          const alone = activate(attention, y, activation);
          assert.deepEqual(fusedLinear(attention, x, weight, { activation }).data, alone.data);
          const gated = activate(attention, y, activation, { gate: g });
          const got = fusedLinear(attention, x, weight, { activation, gate, residual });
          assert.deepEqual(got.data, sum(gated));
        }
        using place = attention.allocate([rows, columns]);
        place.data.set(residual.data);
        fusedLinear(attention, x, weight, { residual: place, out: place });
        assert.deepEqual(place.data, sum(y));
      }
      assert.equal(attention.memory.used, used);
    }
  });

  test(`embedding and its gradient, ${variant}`, async () => {
    const attention = await engine(variant);
    const { used } = attention.memory;
    for (const [count, columns, rows] of [
      [1, 1, 1],
      [7, 3, 20],
      [100, 65, 333],
      [5, 128, 0],
      [3, 20000, 2],
    ]) {
      const table = randomTensor([count, columns], 1);
      const ids = Array.from({ length: rows }, (_, i) => (i * i * 31 + i) % count);
      const got = embedding(
        attention,
        table,
        { data: Int32Array.from(ids), dims: [1, rows] },
        { scale: 3 },
      );
      assert.deepEqual(got.dims, [1, rows, columns]);
      assert.deepEqual(
        got.data,
        Float32Array.from(
          got.data,
          (_, i) => 3 * table.data[ids[Math.floor(i / columns)] * columns + (i % columns)],
        ),
      );
      assert.deepEqual(
        embedding(attention, table, BigInt64Array.from(ids, BigInt), { scale: 3 }).data,
        got.data,
      );
      const dy = randomTensor([rows, columns], 2);
      const sums = (round: Round) => {
        const gradient = new Float64Array(count * columns);
        ids.forEach((id, row) => {
          for (let j = 0; j < columns && id !== 0; j++) {
            const at = id * columns + j;
            gradient[at] = round(gradient[at] + round(dy.data[row * columns + j] * 0.75));
          }
        });
        return gradient;
      };
      const options = { count, scale: 0.75, paddingIndex: 0 };
      const back = embeddingBackward(attention, dy, ids, options);
      const share = shareOfTolerance(
        back.data,
        sums((x) => x),
        [sums(Math.fround)],
      );
      assert.ok(share <= 1, `${share} of the tolerance`);
      const out = table.data.slice();
      embeddingBackward(attention, dy, ids, { ...options, out, accumulate: true });
      assert.deepEqual(
        out,
        table.data.map((x, i) => x + back.data[i]),
      );
    }
    assert.equal(attention.memory.used, used);
  });

  test(`crossEntropy and its gradient, ${variant}`, async () => {
    const attention = await engine(variant);
    const { used } = attention.memory;
    for (const columns of [1, 2, 3, 8, 9, 127, 1000, 20011])
      for (const smoothing of [0, 0.1, 1])
        for (const rows of [1, 5]) {
          const logits = randomTensor([rows, columns], columns, 6);
          const targets = Array.from({ length: rows }, (_, i) =>
            i === 3 ? -1 : (i * 37) % columns,
          );
          const counted = targets.filter((t) => t >= 0).length;
          const asked = { ignoreIndex: -1, labelSmoothing: smoothing, gradient: true } as const;
          const near = (
            got: ArrayLike<number>,
            of: (round?: Round) => ArrayLike<number>,
            reach = 0,
          ) => {
            const share = shareOfTolerance(got, of(), [of(Math.fround)], reach);
            assert.ok(share <= 1, `[${rows}, ${columns}], ${smoothing}: ${share} of the tolerance`);
          };
          const solve = (factors: number[]) => (round?: Round) =>
            crossEntropy(logits.data, columns, { targets, ignored: -1, smoothing, factors }, round);
          const lossGradient = randomArray(rows, 7);
          const none = blocks.crossEntropy(attention, logits, targets, {
            ...{ ...asked, reduction: "none", lossGradient },
          });
          const each = solve(Array.from(lossGradient));
          near(none.loss.data, (round) => each(round).losses, 6);
          near(none.gradient.data, (round) => each(round).gradient);
          const mean = blocks.crossEntropy(attention, logits, targets, {
            ...asked,
            lossGradient: 2,
          });
          const all = solve(targets.map(() => 2 / counted));
          near(mean.gradient.data, (round) => all(round).gradient);
          const total = none.loss.data.reduce((sum, x) => sum + x, 0);
          assert.ok(Math.abs(mean.loss - total / counted) <= 4 * ulp(total));
          const { loss } = blocks.crossEntropy(attention, logits, targets, {
            ...{ ignoreIndex: -1, labelSmoothing: smoothing, reduction: "sum" },
          });
          assert.ok(Math.abs(loss - total) <= 4 * ulp(total));
        }
    const empty = blocks.crossEntropy(
      attention,
      tensor(new Float32Array(4), [2, 2]),
      [-100, -100],
      { gradient: true },
    );
    assert.deepEqual([empty.loss, Array.from(empty.gradient.data)], [NaN, [0, 0, 0, 0]]);
    assert.equal(attention.memory.used, used);
  });
}

test("the reference's gradients are its slopes", () => {
  const given = { targets: [2, 0, 7, -1], ignored: -1, smoothing: 0.1 };
  const factors = [1, 2, -3, 4];
  const logits = Float64Array.from(randomArray(32, 2));
  const { gradient } = crossEntropy(logits, 8, { ...given, factors });
  const losses = (moved: Float64Array) => crossEntropy(moved, 8, { ...given, factors }).losses;
  const want = differences(losses, logits, factors);
  for (const [i, value] of gradient.entries()) assert.ok(Math.abs(value - want[i]) < 1e-7);
});

const ids = Array.from({ length: 3000 }, (_, i) => (i * 7919) % 501);
const [x, y] = [1, 2].map((seed) => randomTensor([3000, 501], seed));
const weight = randomArray(501, 3);
const last = { axis: 0 } as const;

/** Each large enough to be shared, and its asynchronous form. */
const calls: [string, (a: Whole) => object, (a: Whole) => Promise<object>][] = [
  [
    "layerNorm",
    (a) => blocks.layerNorm(a, x, { residual: y, weight, statistics: true }),
    (a) => blocks.layerNormAsync(a, x, { residual: y, weight, statistics: true }),
  ],
  [
    "rmsNorm",
    (a) => blocks.rmsNorm(a, x, { weight }),
    (a) => blocks.rmsNormAsync(a, x, { weight }),
  ],
  [
    "layerNormBackward",
    (a) => blocks.layerNormBackward(a, y, x, { weight, bias: weight }),
    (a) => blocks.layerNormBackwardAsync(a, y, x, { weight, bias: weight }),
  ],
  [
    "rmsNormBackward",
    (a) => blocks.rmsNormBackward(a, y, x, { weight }),
    (a) => blocks.rmsNormBackwardAsync(a, y, x, { weight }),
  ],
  [
    "softmax",
    (a) => ({ y: blocks.softmax(a, x) }),
    async (a) => ({ y: await blocks.softmaxAsync(a, x) }),
  ],
  [
    "softmaxBackward",
    (a) => ({ y: blocks.softmaxBackward(a, y, x) }),
    async (a) => ({ y: await blocks.softmaxBackwardAsync(a, y, x) }),
  ],
  [
    "logSoftmax",
    (a) => ({ y: blocks.logSoftmax(a, x, last) }),
    async (a) => ({ y: await blocks.logSoftmaxAsync(a, x, last) }),
  ],
  [
    "logSoftmaxBackward",
    (a) => ({ y: blocks.logSoftmaxBackward(a, y, x, last) }),
    async (a) => ({ y: await blocks.logSoftmaxBackwardAsync(a, y, x, last) }),
  ],
  [
    "activate",
    (a) => ({ y: activate(a, x, "gelu", { gate: y }) }),
    async (a) => ({ y: await blocks.activateAsync(a, x, "gelu", { gate: y }) }),
  ],
  [
    "activateBackward",
    (a) => activateBackward(a, y, x, "silu", { gate: y }),
    (a) => blocks.activateBackwardAsync(a, y, x, "silu", { gate: y }),
  ],
  [
    "embedding",
    (a) => ({ y: embedding(a, x, ids) }),
    async (a) => ({ y: await blocks.embeddingAsync(a, x, ids) }),
  ],
  [
    "embeddingBackward",
    (a) => ({ y: embeddingBackward(a, x, ids, { count: 501 }) }),
    async (a) => ({ y: await blocks.embeddingBackwardAsync(a, x, ids, { count: 501 }) }),
  ],
  [
    "crossEntropy",
    (a) => blocks.crossEntropy(a, x, ids, { reduction: "none", gradient: true }),
    (a) => blocks.crossEntropyAsync(a, x, ids, { reduction: "none", gradient: true }),
  ],
  [
    "fusedLinear",
    (a) => {
      using prepared = prepareLinear(a, randomTensor([501, 90], 4), { order: "in,out" });
      return { y: fusedLinear(a, x, prepared, { activation: "gelu-tanh", gate: prepared }) };
    },
    async (a) => {
      using prepared = prepareLinear(a, randomTensor([501, 90], 4), { order: "in,out" });
      const options = { activation: "gelu-tanh", gate: prepared } as const;
      return { y: await blocks.fusedLinearAsync(a, x, prepared, options) };
    },
  ],
];

for (const variant of variants) {
  test(`threads and asynchronous calls change no bit, ${variant}`, async () => {
    using one = await engine(variant);
    using three = await engine(variant, { threads: 3 });
    for (const [name, call, later] of calls) {
      const want = bitsOf(call(one));
      assert.deepEqual(bitsOf(call(three)), want, name);
      assert.deepEqual(bitsOf(await later(one)), want, `${name}, not holding the thread`);
      assert.deepEqual(bitsOf(await later(three)), want, `${name}, on workers`);
    }
  });
}
