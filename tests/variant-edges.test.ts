// The other attentions of nothing, of one element, and of what is not finite.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Tensor, tensor } from "wasm-attention";
import {
  additiveAttention,
  additiveAttentionBackward,
  causalConv,
  entmax,
  entmaxBackward,
  linearAttention,
  linearAttentionBackward,
  locationSensitiveAttention,
  monotonicAttention,
  monotonicBackward,
  spanAttend,
  spanAttendBackward,
  sparseAttend,
  sparseAttendBackward,
  weightedSum,
  weightedSumBackward,
} from "wasm-attention/variants";
import { engine, randomTensor, variants, type Whole } from "./engines";

const of = (x: number, ...dims: number[]) =>
  tensor(new Float32Array(dims.reduce((a, b) => a * b, 1)).fill(x), dims);

type Attend = (attention: Whole, q: Tensor, k: Tensor, v: Tensor) => { output: Tensor };
const attends: Record<string, Attend> = {
  linear: linearAttention,
  sparse: sparseAttend,
  additive: additiveAttention,
  spanned: (attention, q, k, v) => spanAttend(attention, q, k, v, { spans: 9 }),
};

for (const variant of variants) {
  test(`nothing: no queries, no keys, no rows, ${variant}`, async () => {
    const attention = await engine(variant);
    const { used } = attention.memory;
    for (const [name, attend] of Object.entries(attends)) {
      const none = name === "linear" ? of(0, 1, 2, 0, 4) : of(1, 1, 2, 5, 4);
      const empty = of(0, 1, 2, 0, 4);
      assert.deepEqual(attend(attention, empty, empty, empty).output.dims, [1, 2, 0, 4], name);
      // A row that sees no key gives 0.
      const { output } = attend(attention, none, empty, empty);
      assert.ok(
        output.data.every((x) => x === 0),
        name,
      );
      const batches = of(0, 0, 2, 3, 4);
      assert.equal(attend(attention, batches, batches, batches).output.data.length, 0, name);
    }
    const empty = of(0, 2, 0);
    assert.equal(entmax(attention, empty).data.length, 0);
    assert.equal(entmaxBackward(attention, empty, empty).alphaGradient, 0);
    assert.equal(monotonicAttention(attention, of(0, 3, 0)).data.length, 0);
    assert.equal(monotonicAttention(attention, of(0, 0, 3)).data.length, 0);
    const sum = weightedSum(attention, of(0, 2, 3, 0), of(0, 2, 0, 4));
    assert.deepEqual([sum.dims, [...sum.data]], [[2, 3, 4], Array(24).fill(0)]);
    assert.deepEqual(causalConv(attention, of(0, 1, 2, 0), of(1, 2, 3)).state.dims, [1, 2, 2]);
    const q = of(1, 1, 2, 3, 4);
    const pass = { query: q, key: of(0, 1, 2, 0, 4), value: of(0, 1, 2, 0, 4), outputGradient: q };
    for (const { queryGradient } of [
      sparseAttendBackward(attention, pass),
      additiveAttentionBackward(attention, pass),
      spanAttendBackward(attention, pass, { spans: 2 }),
    ])
      assert.ok(queryGradient.data.every((x) => x === 0));
    assert.equal(attention.memory.used, used);
  });

  test(`one element, and p of 0 and 1, ${variant}`, async () => {
    const attention = await engine(variant);
    const [one, two] = [of(0.5, 1, 1), of(2, 1, 1)];
    for (const [name, attend] of Object.entries(attends)) {
      const want = name === "linear" ? 0.5 : 2; // 0.5 · 0.5 · 2, or a weight of 1
      assert.deepEqual([...attend(attention, one, one, two).output.data], [want], name);
    }
    const pass = { query: one, key: one, value: two, outputGradient: one };
    for (const gradients of [
      sparseAttendBackward(attention, pass),
      additiveAttentionBackward(attention, pass),
      spanAttendBackward(attention, pass, { spans: 2 }),
    ]) {
      // A weight that is 1 whatever the score.
      assert.deepEqual([...gradients.queryGradient.data], [0]);
      assert.deepEqual([...gradients.valueGradient.data], [0.5]);
    }
    const linear = linearAttentionBackward(attention, pass);
    assert.deepEqual([...linear.queryGradient.data], [0.5]); // k·v·dy
    assert.deepEqual([...entmax(attention, of(-7, 1)).data], [1]);
    for (const p of [0, 1]) {
      const chances = of(p, 1, 1);
      const alignment = monotonicAttention(attention, chances);
      assert.deepEqual([...alignment.data], [p]);
      const given = { probabilities: chances, alignment, alignmentGradient: one };
      assert.deepEqual([...monotonicBackward(attention, given).probabilitiesGradient.data], [0.5]);
      assert.deepEqual([...weightedSum(attention, alignment, two).data], [2 * p]);
    }
    const back = weightedSumBackward(attention, one, one, two);
    assert.deepEqual([back.weightsGradient.data[0], back.valueGradient.data[0]], [1, 0.25]);
    assert.deepEqual([...causalConv(attention, of(3, 1, 1, 1), of(2, 1, 1)).output.data], [6]);
    const located = locationSensitiveAttention(attention, one, of(1, 1, 1, 1), of(4, 1, 1, 1), {
      ...{ filters: of(1, 1, 2, 1), locationWeight: of(1, 1, 1) },
    });
    assert.deepEqual([located.output.data[0], located.weights.data[0]], [4, 1]);
  });

  test(`a NaN or infinite score reaches its own row, a value its own column, ${variant}`, async () => {
    const attention = await engine(variant);
    const { linear: _, ...softmaxed } = attends;
    for (const bad of [NaN, Infinity, -Infinity])
      for (const [name, attend] of Object.entries(softmaxed)) {
        const what = `${name}, ${bad}`;
        const [q, k, v] = [1, 2, 3].map((seed) => randomTensor([1, 1, 4, 3], seed));
        const clean = attend(attention, q, k, v).output.data;
        const { data } = q;
        data[3] = bad; // of row 1
        const got = attend(attention, q, k, v).output.data;
        for (const i of [0, 2, 3])
          assert.deepEqual(got.slice(3 * i, 3 * i + 3), clean.slice(3 * i, 3 * i + 3), what);
        // tanh(±∞) is ±1; a product with both signs of ∞ is not.
        if (Number.isNaN(bad)) assert.ok(got.slice(3, 6).every(Number.isNaN), what);
        else if (name === "additive") assert.ok(got.every(Number.isFinite), what);
        data[3] = 0;
        v.data[1] = bad;
        const spoilt = attend(attention, q, k, v).output.data;
        assert.ok(
          spoilt.every((x, i) => i % 3 === 1 || Number.isFinite(x)),
          what,
        );
      }
    // Rows of p that are no probabilities stay in their rows of steps.
    const p = of(0.5, 2, 2, 3);
    p.data[1] = NaN;
    const { data } = monotonicAttention(attention, p);
    assert.ok(Number.isNaN(data[1]) && data.slice(6).every(Number.isFinite));
  });
}
