// sparseAttend and additiveAttention, forward, against float64 from the formulas.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type AttendOptions, type Tensor, tensor } from "wasm-attention";
import {
  type AdditiveOptions,
  additiveAttention,
  additiveAttentionAsync,
  type SpanOptions,
  type SparseAttendOptions,
  spanAttend,
  sparseAttend,
  sparseAttendAsync,
} from "wasm-attention/variants";
import { type AttendForm, type AttendSizes, drawAttend } from "./checks/variant-attend";
import { bitsOf, engine, randomTensor, variants, type Whole } from "./engines";
import { once } from "./once";
import { shareOfTolerance } from "./reference";

const sizesOf: AttendSizes[] = [
  { batch: 1, heads: 1, keyValueHeads: 1, queries: 1, keys: 1, depth: 1, columns: 1 },
  { batch: 2, heads: 4, keyValueHeads: 2, queries: 5, keys: 9, depth: 7, columns: 3 },
  { batch: 1, heads: 2, keyValueHeads: 1, queries: 63, keys: 129, depth: 16, columns: 17 },
  { batch: 1, heads: 1, keyValueHeads: 1, queries: 67, keys: 257, depth: 33, columns: 8 },
  { batch: 1, heads: 2, keyValueHeads: 2, queries: 3, keys: 0, depth: 4, columns: 4 },
];
const formsOf = (heads: number): AttendForm[] => [
  { kind: "sparse", alpha: 1.5 },
  { kind: "sparse", alpha: 2, causal: true },
  { kind: "sparse", alpha: 1.25, window: 3, causal: true },
  { kind: "sparse", alpha: Array.from({ length: heads }, (_, h) => 1.1 + h), masked: true },
  { kind: "sparse", alpha: 1.5, amplitude: 30 },
  { kind: "additive" },
  { kind: "additive", causal: true, perHead: true },
  { kind: "additive", masked: true, window: 2 },
  { kind: "additive", alpha: 1.5, masked: true },
  { kind: "additive", amplitude: 1e-4 },
  ...[0, 2.5, 90].map(
    (z): AttendForm => ({
      ...{ kind: "span", causal: z > 1, ramp: z ? 7 : 1 },
      spans: Array.from({ length: heads }, (_, h) => z + h),
    }),
  ),
];

type Problem = ReturnType<typeof drawAttend>;

function run(
  attention: Whole,
  { kind }: AttendForm,
  problem: Problem,
  besides: AttendOptions = {},
) {
  const { query, key, value, sparse, added, spanned } = problem;
  const asked = { weights: true, ...besides };
  if (kind === "span")
    return spanAttend(attention, query, key, value, { ...spanned, ...asked } as SpanOptions);
  return kind === "sparse"
    ? sparseAttend(attention, query, key, value, { ...sparse, ...asked } as SparseAttendOptions)
    : additiveAttention(attention, query, key, value, { ...added, ...asked } as AdditiveOptions);
}

type Truth = ReturnType<Problem["truth"]>;
const solved = once<{ readonly want: Truth; readonly naive: readonly Truth[] }>();

for (const variant of variants) {
  test(`every form at every edge, against float64, ${variant}`, async () => {
    const attention = await engine(variant);
    const { used } = attention.memory;
    for (const [index, sizes] of sizesOf.entries())
      for (const [number, drawn] of formsOf(sizes.heads).entries()) {
        const lengths = Array.from({ length: sizes.batch }, (_, b) => sizes.keys >> b);
        const form = number % 2 ? { ...drawn, lengths } : drawn;
        const problem = drawAttend(sizes, form, 100 * index + 10 * number + 1);
        const got = run(attention, form, problem);
        const { want, naive } = solved(`${index} ${number}`, () => ({
          want: problem.truth(),
          naive: [0, 1, 2, 3, 5, 8].map((first) => problem.truth(Math.fround, first)),
        }));
        for (const name of ["output", "weights"] as const) {
          const share = shareOfTolerance(
            (got[name] as Tensor).data,
            want[name],
            naive.map((one) => one[name]),
          );
          const what = JSON.stringify({ sizes, form });
          assert.ok(share <= 1, `${name} of ${what}: ${share} of the tolerance`);
        }
        assert.equal(attention.memory.used, used);
      }
  });

  test(`threads, asynchronous calls, linear memory and batches change no bit, ${variant}`, async () => {
    const one = await engine(variant);
    const two = await engine(variant, { threads: 2 });
    const sizes: AttendSizes = {
      ...{ batch: 2, heads: 2, keyValueHeads: 1, queries: 130, keys: 300, depth: 24, columns: 20 },
    };
    for (const form of [
      { kind: "sparse", alpha: 1.5, causal: true },
      { kind: "additive", masked: true },
    ] as const) {
      const problem = drawAttend(sizes, form, 17);
      const want = bitsOf(run(one, form, problem));
      assert.deepEqual(bitsOf(run(two, form, problem)), want);
      const { query, key, value, sparse, added } = problem;
      for (const attention of [one, two]) {
        const later = await (form.kind === "sparse"
          ? sparseAttendAsync(attention, query, key, value, { ...sparse, weights: true })
          : additiveAttentionAsync(attention, query, key, value, { ...added, weights: true }));
        assert.deepEqual(bitsOf(later), want);
      }
      // A row by itself, and the mean of all heads.
      const own = (x: Tensor) => tensor(x.data.slice(x.data.length / 2), [1, ...x.dims.slice(1)]);
      const mask = added.mask as { data: Uint8Array } | undefined;
      const row = {
        query: tensor(query.data.slice(-24), [1, 1, 1, 24]),
        key: own(key),
        value: own(value),
      };
      const { output } = run(
        one,
        form,
        { ...problem, ...row },
        {
          causal: false,
          mask: mask && { data: mask.data.slice(-300), dims: [1, 300] },
          keyLengths: form.kind === "sparse" ? [130] : undefined,
        },
      );
      const whole = run(one, form, problem);
      assert.deepEqual(output.data, whole.output.data.slice(-20));
      const mean = run(one, form, problem, { weights: "mean" }).weights as Tensor;
      const each = (whole.weights as Tensor).data;
      mean.data.forEach((x, i) => {
        const [b, at] = [Math.floor(i / 39000), i % 39000];
        const half = (each[b * 78000 + at] + each[b * 78000 + 39000 + at]) / 2;
        assert.ok(Math.abs(x - half) < 1e-6);
      });
    }
    two.dispose();
  });

  test(`a row that sees nothing, and what is not finite, ${variant}`, async () => {
    const attention = await engine(variant);
    for (const bad of [NaN, Infinity, -Infinity])
      for (const kind of ["sparse", "additive"] as const) {
        const sizes: AttendSizes = {
          ...{ batch: 1, heads: 1, keyValueHeads: 1, queries: 3, keys: 6, depth: 5, columns: 4 },
        };
        const form: AttendForm = { kind, alpha: kind === "sparse" ? 2 : undefined };
        const problem = drawAttend(sizes, form, 31);
        const seen = Uint8Array.from({ length: 18 }, (_, i) => (i > 5 && i % 6 < 4 ? 1 : 0));
        const call = () => run(attention, form, problem, { mask: { data: seen, dims: [3, 6] } });
        const clean = call();
        assert.deepEqual([...clean.output.data.slice(0, 4)], [0, 0, 0, 0]);
        assert.deepEqual([...(clean.weights as Tensor).data.slice(0, 6)], [0, 0, 0, 0, 0, 0]);
        // In keys and values that are left out it changes nothing.
        problem.key.data.fill(bad, 4 * 5);
        problem.value.data.fill(bad, 4 * 4);
        assert.deepEqual(bitsOf(call()), bitsOf(clean));
        problem.query.data[2 * 5] = bad;
        const { output } = call();
        assert.deepEqual(output.data.slice(0, 8), clean.output.data.slice(0, 8));
        // tanh of ∞ is 1; a product of it is ∞ or −∞, and one of them NaN in the row.
        const spoilt = kind === "sparse" || Number.isNaN(bad);
        assert.equal(output.data.slice(8).every(Number.isNaN), spoilt, `${kind}, ${bad}`);
      }
  });

  test(`entmax leaves weights of exactly 0, and nothing of their values, ${variant}`, async () => {
    const attention = await engine(variant);
    const x = randomTensor([1, 1, 40, 8], 3, 6);
    const value = randomTensor([1, 1, 40, 3], 4);
    for (const alpha of [1.5, 2]) {
      const { weights, output } = sparseAttend(attention, x, x, value, { alpha, weights: true });
      const zeros = [...weights.data].filter((weight) => weight === 0).length;
      assert.ok(zeros > 800, `${zeros} zeros`);
      for (let i = 0; i < 40; i++) {
        const sum = weights.data.slice(i * 40, (i + 1) * 40).reduce((a, b) => a + b, 0);
        assert.ok(Math.abs(sum - 1) < 1e-5, `${sum}`);
      }
      const unused = Array.from({ length: 40 }, (_, j) => j).filter((j) =>
        weights.data.every((weight, at) => at % 40 !== j || weight === 0),
      );
      const spoilt = tensor(value.data.slice(), value.dims);
      for (const j of unused) spoilt.data.fill(NaN, 3 * j, 3 * j + 3);
      assert.deepEqual(sparseAttend(attention, x, x, spoilt, { alpha }).output.data, output.data);
    }
  });
}
