// normmax and budgets, of tensors and in attend, against halving in float64, published values, and gradients against
// differences.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Tensor, tensor } from "wasm-attention";
import { attendBackward } from "wasm-attention/training";
import {
  alphaNormmax,
  budget,
  entmax,
  entmaxAsync,
  entmaxBackward,
  entmaxBackwardAsync,
  modifiedWeights,
  type Normalizer,
  sparsemax,
} from "wasm-attention/variants";
import { bitsOf, engine, randomArray, randomTensor, variants } from "./engines";
import { shareOfTolerance } from "./reference";
import { differences, dot, modifiedHeads } from "./reference-modified";
import { budgetRow, normmaxRow } from "./reference-sparse";
import type { Round } from "./reference-variants";

interface Form {
  normalizer: Normalizer;
  /** α or the budget, as float32. */
  alpha: number;
  row(x: readonly number[], alpha?: number, round?: Round): number[];
}

const form = (make: (alpha: number) => Normalizer, row: typeof normmaxRow, given: number): Form => {
  const alpha = Math.fround(given);
  return {
    normalizer: make(given),
    alpha,
    row: (x, moved = alpha, round = undefined) => row(x, moved, round),
  };
};
const forms = [
  ...[1.01, 1.25, 1.5, 2, 3, 10].map((alpha) => form(alphaNormmax, normmaxRow, alpha)),
  ...[0.25, 1, 1.5, 2, 7, 100.5].map((total) => form(budget, budgetRow, total)),
];
const called = ({ normalizer, alpha }: Form) => `${normalizer.name}(${alpha})`;

for (const variant of variants) {
  test(`rows of every length, ${variant}`, async () => {
    const attention = await engine(variant);
    const two = await engine(variant, { threads: 2 });
    for (const each of forms)
      for (const columns of [1, 2, 3, 5, 127, 128, 129, 300])
        for (const amplitude of [0.01, 3, 1000]) {
          const x = randomArray(columns * 3, columns, amplitude);
          x.fill(-Infinity, 0, columns >> 1);
          const rows = Array.from({ length: 3 }, (_, i) =>
            Array.from(x.subarray(i * columns, (i + 1) * columns)),
          );
          const want = rows.flatMap((row) => each.row(row));
          const naive = rows.flatMap((row) => each.row(row, each.alpha, Math.fround));
          const { normalizer } = each;
          const got = entmax(attention, tensor(x, [3, columns]), { normalizer });
          const share = shareOfTolerance(got.data, want, [naive]);
          const what = `${called(each)}, ${columns}, ${amplitude}`;
          assert.ok(share <= 1, `${what}: ${share} of the tolerance`);
          for (const [i, p] of got.data.entries()) {
            assert.ok(p >= 0 && p <= 1, `${what}: ${p}`);
            if (x[i] === -Infinity) assert.equal(p, 0, what);
          }
        }
    const x = randomTensor([90, 1000], 3, 4);
    for (const { normalizer } of forms.slice(3)) {
      const { data } = entmax(attention, x, { normalizer });
      assert.deepEqual(entmax(two, x, { normalizer }).data, data);
      assert.deepEqual((await entmaxAsync(two, x, { normalizer })).data, data);
    }
    two.dispose();
  });

  test(`what is published, what is left out, and what is not finite, ${variant}`, async () => {
    const attention = await engine(variant);
    const of = (values: number[], normalizer: Normalizer) => [
      ...entmax(attention, tensor(Float32Array.from(values), [values.length]), { normalizer }).data,
    ];
    const rounded = (values: number[]) => values.map((p) => Math.round(p * 1e4) / 1e4);
    // The README and the tests of deep-spin/entmax.
    assert.deepEqual(rounded(of([-2, 0, 0.5], alphaNormmax(2))), [0, 0.311, 0.689]);
    assert.deepEqual(rounded(of([-2, 0, 0.5], alphaNormmax(1000))), [0, 0.4997, 0.5003]);
    const steps = [0, 0.25, 0.5, 0.75, 1];
    assert.deepEqual(rounded(of(steps, alphaNormmax(2))), [0, 0.0239, 0.1746, 0.3254, 0.4761]);
    assert.deepEqual(of(steps, budget(2)), [0, 0.125, 0.375, 0.625, 0.875]);

    const spread = [3, -1, 0.5, 0.25, 2.75, -Infinity, 2.5];
    assert.deepEqual(of(spread, budget(1)), of(spread, sparsemax));
    assert.deepEqual(of(spread, budget(6)), [1, 1, 1, 1, 1, 0, 1]);
    assert.deepEqual(of(spread, budget(60)), [1, 1, 1, 1, 1, 0, 1]);
    assert.deepEqual(
      of([3e38, -3e38, 0, 1], budget(2)),
      [1, 0, 0.5, 1].map((p, i) => (i === 2 ? 0 : p)),
    );
    assert.deepEqual(of([3e38, -3e38, 3e38, 1], budget(2.5)), [1, 0, 1, 0.5]);
    assert.deepEqual(of([-0, 0, 0, -0], budget(3)), [0.75, 0.75, 0.75, 0.75]);
    for (const { normalizer, alpha } of forms) {
      assert.deepEqual(of([-Infinity, -Infinity], normalizer), [0, 0]);
      assert.ok(of([1, NaN, 2], normalizer).every(Number.isNaN));
      assert.ok(of([1, Infinity, 2], normalizer).every(Number.isNaN));
      const one = normalizer.name === "budget" ? Math.min(alpha, 1) : 1;
      assert.deepEqual(of([-Infinity, 3, -Infinity], normalizer), [0, one, 0]);
      const same = Math.min(normalizer.name === "budget" ? alpha / 4 : 0.25, 1);
      for (const p of of([7, 7, 7, 7], normalizer)) assert.ok(Math.abs(p - same) < 1e-6);
      const empty = (dims: number[]) => tensor(new Float32Array(0), dims);
      assert.deepEqual(entmax(attention, empty([0, 5]), { normalizer }).dims, [0, 5]);
      assert.deepEqual(entmax(attention, empty([5, 0]), { normalizer }).dims, [5, 0]);
    }
  });

  test(`gradients of x and of α or the budget are those of differences, ${variant}`, async () => {
    const attention = await engine(variant);
    for (const each of forms) {
      const { normalizer, alpha } = each;
      const x = randomTensor([4, 9], 5, 1);
      x.data[3] = -Infinity;
      const dy = randomTensor([4, 9], 6);
      const p = entmax(attention, x, { normalizer });
      const got = entmaxBackward(attention, dy, p, { normalizer });
      const exact = Float64Array.from(x.data);
      const loss = (moved = alpha) => {
        let sum = 0;
        for (let i = 0; i < 4; i++)
          sum += dot(
            each.row(Array.from(exact.subarray(9 * i, 9 * i + 9)), moved),
            dy.data.subarray(9 * i),
          );
        return sum;
      };
      const wanted = differences(exact, loss, 1e-6);
      wanted[3] = 0;
      for (const [i, want] of wanted.entries()) {
        const error = Math.abs(got.inputGradient.data[i] - want);
        assert.ok(error < 2e-5 * Math.max(1, Math.abs(want)), `${called(each)}, ${i}: ${error}`);
      }
      const step = 1e-6;
      const want = (loss(alpha + step) - loss(alpha - step)) / (2 * step);
      assert.ok(
        Math.abs(got.alphaGradient - want) < 2e-4 * Math.max(1, Math.abs(want)),
        `${called(each)}: ${got.alphaGradient}, ${want}`,
      );
      const later = await entmaxBackwardAsync(attention, dy, p, { normalizer });
      assert.deepEqual(later, got);
      // A row without keys, and one with NaN.
      const edges = tensor(Float32Array.of(0, 0, NaN, NaN), [2, 2]);
      const { inputGradient } = entmaxBackward(attention, edges, edges, { normalizer });
      assert.deepEqual([...inputGradient.data], [0, 0, NaN, NaN]);
    }
  });

  test(`in attend, there and back, ${variant}`, async () => {
    const attention = await engine(variant);
    const { used } = attention.memory;
    const sizes = {
      ...{ batch: 1, heads: 4, keyValueHeads: 2 },
      ...{ queries: 6, keys: 9, depth: 5, columns: 3 },
    };
    const query = randomTensor([1, 4, 6, 5], 1, 2);
    const key = randomTensor([1, 2, 9, 5], 2, 2);
    const value = randomTensor([1, 2, 9, 3], 3);
    const each = [1.25, 2, 3, 8];
    const totals = [0.5, 0.75, 2.25, 3.5];
    const cases = [
      [alphaNormmax(each), each, normmaxRow],
      [budget(totals), totals, budgetRow],
    ] as const;
    for (const [normalizer, numbers, row] of cases) {
      const options = { normalizer, causal: true, queryOffset: 2 } as const;
      const asked = { weights: true, scores: "biased" } as const;
      const got = attention.attend(query, key, value, { ...options, ...asked });
      const exact = [query, key, value].map(({ data }) => Float64Array.from(data));
      const alphas = Float64Array.from(numbers);
      const truth = () =>
        modifiedHeads(sizes, { query: exact[0], key: exact[1], value: exact[2] }, (_, h) => ({
          scale: 1 / Math.sqrt(5),
          visible: (i, j) => j <= i + 2,
          weigh: (scores) => row(scores, alphas[h]),
        }));
      const [output, weights] = truth();
      for (const [i, x] of output.entries()) assert.ok(Math.abs(got.output.data[i] - x) < 1e-5);
      for (const [i, x] of weights.entries()) assert.ok(Math.abs(got.weights.data[i] - x) < 1e-5);
      const outputGradient = randomTensor(got.output.dims, 4);
      const weightsGradient = randomTensor(got.weights.dims, 5);
      const pass = { query, key, value, outputGradient, weightsGradient };
      const back = attendBackward(attention, pass, options);
      const loss = () => {
        const [o, w] = truth();
        return dot(o, outputGradient.data) + dot(w, weightsGradient.data);
      };
      const gradients = [back.queryGradient, back.keyGradient, back.valueGradient];
      for (const [n, gradient] of [...gradients, back.alphaGradient as Tensor].entries()) {
        const wanted = differences(exact[n] ?? alphas, loss, 1e-6);
        const largest = wanted.reduce((most, g) => Math.max(most, Math.abs(g)), 1);
        for (const [i, g] of wanted.entries()) {
          const error = Math.abs(gradient.data[i] - g) / largest;
          assert.ok(error < 3e-5, `${normalizer.name}, ${n}: ${gradient.data[i]} for ${g}`);
        }
      }
      const same = modifiedWeights({ weightMod: () => undefined, normalizer });
      const changed = attention.attend(query, key, value, { ...options, normalizer: same });
      assert.deepEqual(bitsOf(changed), bitsOf({ output: got.output }));
    }
    assert.equal(attention.memory.used, used);
  });
}
