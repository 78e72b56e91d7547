// Gradients of sparseAttend and additiveAttention against central differences of the formulas in float64.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Tensor, tensor } from "wasm-attention";
import {
  type AdditiveBackwardOptions,
  type AdditiveGradients,
  additiveAttentionBackward,
  additiveAttentionBackwardAsync,
  type SpanBackwardOptions,
  type SpanGradients,
  type SparseBackwardOptions,
  type SparseGradients,
  spanAttendBackward,
  sparseAttendBackward,
  sparseAttendBackwardAsync,
  type VariantPass,
} from "wasm-attention/variants";
import { type AttendForm, type AttendSizes, drawAttend } from "./checks/variant-attend";
import { bitsOf, engine, randomTensor, variants, type Whole } from "./engines";

type Problem = ReturnType<typeof drawAttend>;
type Gradients = Partial<SparseGradients & AdditiveGradients & SpanGradients>;

const back = (
  attention: Whole,
  { kind }: AttendForm,
  { sparse, added, spanned }: Problem,
  pass: VariantPass,
): Gradients =>
  kind === "span"
    ? spanAttendBackward(attention, pass, spanned as SpanBackwardOptions)
    : kind === "sparse"
      ? sparseAttendBackward(attention, pass, sparse as SparseBackwardOptions)
      : additiveAttentionBackward(attention, pass, added as AdditiveBackwardOptions);

const dot = (a: ArrayLike<number>, b: ArrayLike<number>) => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
};

const sizesOf: AttendSizes[] = [
  { batch: 1, heads: 1, keyValueHeads: 1, queries: 1, keys: 1, depth: 1, columns: 1 },
  { batch: 2, heads: 4, keyValueHeads: 2, queries: 3, keys: 4, depth: 3, columns: 2 },
  { batch: 1, heads: 2, keyValueHeads: 1, queries: 6, keys: 9, depth: 9, columns: 10 },
];
const formsOf = (heads: number): AttendForm[] => [
  { kind: "sparse", alpha: 1.5 },
  { kind: "sparse", alpha: 2, causal: true },
  { kind: "sparse", alpha: 1.25, masked: true },
  { kind: "sparse", alpha: 3 },
  { kind: "additive" },
  { kind: "additive", causal: true, perHead: true },
  { kind: "additive", alpha: 1.5, masked: true },
  // No key lies where m bends, or differences would see both sides.
  {
    ...{ kind: "span", causal: true, ramp: 4 },
    spans: Array.from({ length: heads }, (_, h) => 0.375 + h),
  },
];

for (const variant of variants) {
  test(`gradients of every form are those of differences, ${variant}`, async () => {
    const attention = await engine(variant);
    const { used } = attention.memory;
    for (const [index, sizes] of sizesOf.entries())
      for (const [number, form] of formsOf(sizes.heads).entries()) {
        const problem = drawAttend(sizes, form, 1000 * index + 10 * number + 3);
        const { query, key, value, numbers, truth } = problem;
        const { batch, heads, queries, keys, columns } = sizes;
        const outputGradient = randomTensor([batch, heads, queries, columns], 11);
        const weightsGradient = randomTensor([batch, heads, queries, keys], 12);
        const pass = { query, key, value, outputGradient, weightsGradient };
        const got = back(attention, form, problem, pass);
        const loss = () => {
          const { output, weights } = truth();
          return dot(output, outputGradient.data) + dot(weights, weightsGradient.data);
        };
        const names = {
          query: got.queryGradient,
          key: got.keyGradient,
          value: got.valueGradient,
          weight: got.scoreWeightGradient,
          bias: got.scoreBiasGradient,
          alpha: got.alphaGradient,
          spans: got.spansGradient,
        };
        assert.equal(names.weight !== undefined, form.kind === "additive");
        assert.equal(names.alpha !== undefined, form.alpha !== undefined);
        for (const [name, gradient] of Object.entries(names)) {
          if (!gradient) continue;
          const moved = numbers[name as keyof typeof numbers];
          const want = Float64Array.from(moved, (x, i, step = 1e-6) => {
            moved[i] = x + step;
            const above = loss();
            moved[i] = x - step;
            const below = loss();
            moved[i] = x;
            return (above - below) / (2 * step);
          });
          assert.equal(gradient.data.length, want.length);
          const largest = want.reduce((most, x) => Math.max(most, Math.abs(x)), 1);
          want.forEach((x, i) => {
            const error = Math.abs(gradient.data[i] - x) / largest;
            const what = `${name} of ${JSON.stringify({ sizes, form })}`;
            assert.ok(error < 2e-5, `${what}: ${gradient.data[i]} for ${x}`);
          });
        }
        assert.equal(attention.memory.used, used);
      }
  });

  test(`threads and asynchronous calls change no bit, accumulate adds, ${variant}`, async () => {
    const one = await engine(variant);
    const two = await engine(variant, { threads: 2 });
    const sizes: AttendSizes = {
      ...{ batch: 1, heads: 4, keyValueHeads: 2, queries: 130, keys: 270, depth: 24, columns: 20 },
    };
    for (const form of [formsOf(4)[1], formsOf(4)[5]]) {
      const problem = drawAttend(sizes, form, 17);
      const { query, key, value, sparse, added } = problem;
      const pass = { query, key, value, outputGradient: randomTensor([1, 4, 130, 20], 5) };
      const gradients = back(one, form, problem, pass);
      const want = bitsOf(gradients);
      assert.deepEqual(bitsOf(back(two, form, problem, pass)), want);
      for (const attention of [one, two]) {
        const later = await (form.kind === "sparse"
          ? sparseAttendBackwardAsync(attention, pass, sparse as SparseBackwardOptions)
          : additiveAttentionBackwardAsync(attention, pass, added as AdditiveBackwardOptions));
        assert.deepEqual(bitsOf(later), want);
      }
      const out = {
        query: new Float32Array(query.data.length),
        key: new Float32Array(key.data.length).fill(1),
        value: new Float32Array(value.data.length),
      };
      if (form.kind === "sparse")
        sparseAttendBackward(one, pass, { ...sparse, out, accumulate: true });
      else additiveAttentionBackward(one, pass, { ...added, out, accumulate: true });
      assert.deepEqual(
        out.key,
        gradients.keyGradient?.data.map((x) => Math.fround(1 + x)),
      );
    }
    two.dispose();
  });

  test(`keys that are left out have no gradient, whatever they hold, ${variant}`, async () => {
    const attention = await engine(variant);
    for (const form of [formsOf(1)[0], formsOf(1)[4]]) {
      const sizes: AttendSizes = {
        ...{ batch: 1, heads: 1, keyValueHeads: 1, queries: 5, keys: 12, depth: 6, columns: 4 },
      };
      const lengths = [7];
      const problem = drawAttend(sizes, { ...form, lengths }, 23);
      const { query, key, value } = problem;
      const outputGradient = randomTensor([1, 1, 5, 4], 5);
      const pass = { query, key, value, outputGradient };
      const clean = back(attention, form, problem, pass);
      const spoil = ({ data, dims }: Tensor) => {
        const bad = data.slice();
        bad.fill(NaN, 7 * dims[3]);
        return tensor(bad, dims);
      };
      const got = back(attention, form, problem, { ...pass, key: spoil(key), value: spoil(value) });
      assert.deepEqual(bitsOf(got), bitsOf(clean));
      for (const { data } of [got.keyGradient, got.valueGradient] as Tensor[])
        assert.ok(data.slice((7 * data.length) / 12).every((x) => x === 0));
    }
  });
}
