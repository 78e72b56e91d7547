// attend against the float64 reference: seeded random problems over every option at once.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type AttendOptions,
  type Attention,
  type Layout,
  type Tensor,
  tensor,
} from "wasm-attention";
import { engine, random, randomArray, variants } from "./engines";
import { attend, naiveAttend, type Problem, shareOfTolerance } from "./reference";

const sizes = fc.constantFrom(1, 2, 3, 4, 5, 7, 8, 9, 13, 16, 17, 31);
const lengths = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 20 }) },
  fc.constantFrom(63, 64, 65, 67, 127, 128, 129, 131, 257),
);
const headSizes = fc.oneof(sizes, fc.constantFrom(32, 63, 64, 65, 72));

const problems = fc.record({
  seed: fc.integer({ min: 1, max: 2 ** 31 }),
  batch: fc.integer({ min: 1, max: 3 }),
  keyValueHeads: fc.integer({ min: 1, max: 3 }),
  group: fc.integer({ min: 1, max: 3 }),
  queries: lengths,
  keys: lengths,
  headSize: headSizes,
  valueSize: headSizes,
  amplitude: fc.constantFrom(0, 1e-3, 1, 1, 1, 10, 1e4),
  layout: fc.constantFrom<Layout>("BHLD", "BLHD", "BLE"),
  rank: fc.constantFrom(4, 4, 3, 2),
  scale: fc.constantFrom(undefined, undefined, 1, 0.3, 0, -0.5),
  causal: fc.constantFrom(undefined, true, "upper-left" as const, "lower-right" as const),
  offset: fc.constantFrom(undefined, "one" as const, "each" as const),
  mask: fc.constantFrom("none", "none", "boolean", "additive"),
  maskAxes: fc.tuple(fc.boolean(), fc.boolean(), fc.boolean(), fc.boolean()),
  maskRank: fc.integer({ min: 0, max: 4 }),
  density: fc.constantFrom(0, 0.02, 0.5, 0.9, 1),
  keyLengths: fc.boolean(),
  queryLengths: fc.boolean(),
  weights: fc.constantFrom(undefined, true, "mean" as const),
  logSumExp: fc.boolean(),
  poison: fc.constantFrom(undefined, NaN, Infinity),
  allocated: fc.boolean(),
  out: fc.constantFrom("none", "plain", "allocated", "query"),
});
type Drawn = typeof problems extends fc.Arbitrary<infer T> ? T : never;

/** [B, H, rows, size] ↔ the layout; both are their own permutation of the same elements. */
function arrange(data: Float32Array, heads: number, rows: number, size: number, layout: Layout) {
  if (layout === "BHLD") return data;
  const result = new Float32Array(data.length);
  const batch = data.length / (heads * rows * size);
  for (let b = 0; b < batch; b++)
    for (let h = 0; h < heads; h++)
      for (let i = 0; i < rows; i++)
        for (let d = 0; d < size; d++)
          result[((b * rows + i) * heads + h) * size + d] =
            data[((b * heads + h) * rows + i) * size + d];
  return result;
}

function dimsOf(layout: Layout, rank: number, b: number, h: number, rows: number, size: number) {
  const full = { BHLD: [b, h, rows, size], BLHD: [b, rows, h, size], BLE: [b, rows, h * size] };
  if (layout === "BLE") return full.BLE.slice(rank >= 4 ? 0 : 1);
  return rank === 2 ? [rows, size] : full[layout].slice(4 - rank);
}

function pose(drawn: Drawn) {
  const { layout, rank, queries, keys, headSize, valueSize } = drawn;
  const unbatched = rank < 4;
  const batch = unbatched ? 1 : drawn.batch;
  const oneHead = rank === 2 && layout !== "BLE";
  const keyValueHeads = oneHead ? 1 : drawn.keyValueHeads;
  const heads = oneHead ? 1 : keyValueHeads * drawn.group;
  const next = random(drawn.seed + 7);
  const integer = (most: number) => Math.floor(((next() + 1) / 2) * (most + 1));
  const each = (most: number) => Array.from({ length: batch }, () => integer(most));

  const query = randomArray(batch * heads * queries * headSize, drawn.seed, drawn.amplitude);
  const key = randomArray(batch * keyValueHeads * keys * headSize, drawn.seed + 1, 2);
  const value = randomArray(batch * keyValueHeads * keys * valueSize, drawn.seed + 2);
  const keyLengths = drawn.keyLengths ? each(keys) : undefined;
  const queryLengths = drawn.queryLengths ? each(queries) : undefined;
  const offsets = each(keys).map((offset) => offset - integer(queries));
  const queryOffset =
    drawn.causal === "lower-right" || !drawn.offset
      ? undefined
      : drawn.offset === "one"
        ? offsets[0]
        : offsets;
  const position = (b: number) => {
    if (drawn.causal === "lower-right")
      return (keyLengths?.[b] ?? keys) - (queryLengths?.[b] ?? queries);
    return queryOffset === undefined ? 0 : drawn.offset === "one" ? offsets[0] : offsets[b];
  };

  const full = [batch, heads, queries, keys];
  const maskDims = full
    .map((size, axis) => (drawn.maskAxes[axis] ? size : 1))
    .slice(4 - drawn.maskRank);
  const maskSize = maskDims.reduce((a, b) => a * b, 1);
  const maskData =
    drawn.mask === "boolean"
      ? Uint8Array.from({ length: maskSize }, () => ((next() + 1) / 2 < drawn.density ? 1 : 0))
      : Float32Array.from({ length: maskSize }, () =>
          (next() + 1) / 2 < drawn.density ? next() * 5 : -Infinity,
        );
  const maskAt = (...at: number[]) => {
    const padded = [1, 1, 1, 1, ...maskDims].slice(-4);
    return maskData[
      padded.reduce((index, size, axis) => index * size + (size === 1 ? 0 : at[axis]), 0)
    ];
  };
  const bias = (b: number, h: number, i: number, j: number) =>
    drawn.mask === "additive" ? maskAt(b, h, i, j) : 0;
  const visible = (b: number, h: number, i: number, j: number) =>
    i < (queryLengths?.[b] ?? queries) &&
    j < (keyLengths?.[b] ?? keys) &&
    (!drawn.causal || j <= position(b) + i) &&
    (drawn.mask !== "boolean" || maskAt(b, h, i, j) !== 0) &&
    bias(b, h, i, j) !== -Infinity;

  const problem: Problem = {
    batch,
    heads,
    keyValueHeads,
    queries,
    keys,
    headSize,
    valueSize,
    query,
    key,
    value,
    scale: drawn.scale ?? 1 / Math.sqrt(headSize),
    visible,
    bias,
  };
  if (drawn.poison !== undefined) poison(problem, drawn.poison);
  const options: AttendOptions = {
    layout,
    ...(layout === "BLE" && { heads, keyValueHeads }),
    scale: drawn.scale,
    causal: drawn.causal,
    queryOffset,
    keyLengths,
    queryLengths,
    mask: drawn.mask === "none" ? undefined : { data: maskData, dims: maskDims },
    weights: drawn.weights,
    logSumExp: drawn.logSumExp,
  };
  return { problem, options };
}

/** Puts `bad` into every key and value that no query sees. */
function poison({ batch, heads, keyValueHeads, queries, keys, ...problem }: Problem, bad: number) {
  const group = heads / keyValueHeads;
  for (let b = 0; b < batch; b++)
    for (let head = 0; head < keyValueHeads; head++)
      for (let j = 0; j < keys; j++) {
        let seen = false;
        for (let h = head * group; h < (head + 1) * group && !seen; h++)
          for (let i = 0; i < queries && !seen; i++) seen = problem.visible(b, h, i, j);
        if (seen) continue;
        const row = (b * keyValueHeads + head) * keys + j;
        problem.key.fill(bad, row * problem.headSize, (row + 1) * problem.headSize);
        problem.value.fill(bad, row * problem.valueSize, (row + 1) * problem.valueSize);
      }
}

/** The mean over heads of [B, H, n]. */
function meanOverHeads(data: Float64Array, batch: number, heads: number, round = (x: number) => x) {
  const n = data.length / (batch * heads);
  const mean = new Float64Array(batch * n);
  for (let b = 0; b < batch; b++)
    for (let h = 0; h < heads; h++)
      for (let i = 0; i < n; i++)
        mean[b * n + i] = round(mean[b * n + i] + round(data[(b * heads + h) * n + i] / heads));
  return mean;
}

function check(attention: Attention, drawn: Drawn) {
  const { problem, options } = pose(drawn);
  const { batch, heads, keyValueHeads, queries, keys, headSize, valueSize } = problem;
  const { layout, rank } = drawn;
  const before = attention.memory.used;
  const release: { dispose(): void }[] = [];
  const place = (data: Float32Array, dims: number[]): Tensor => {
    if (!drawn.allocated) return tensor(data, dims);
    const allocated = attention.allocate(dims);
    allocated.data.set(data);
    release.push(allocated);
    return allocated;
  };
  const query = place(
    arrange(problem.query, heads, queries, headSize, layout),
    dimsOf(layout, rank, batch, heads, queries, headSize),
  );
  const key = place(
    arrange(problem.key, keyValueHeads, keys, headSize, layout),
    dimsOf(layout, rank, batch, keyValueHeads, keys, headSize),
  );
  const value = place(
    arrange(problem.value, keyValueHeads, keys, valueSize, layout),
    dimsOf(layout, rank, batch, keyValueHeads, keys, valueSize),
  );
  const outDims = dimsOf(layout, rank, batch, heads, queries, valueSize);
  if (drawn.out === "plain") options.out = new Float32Array(batch * heads * queries * valueSize);
  if (drawn.out === "allocated")
    options.out = place(new Float32Array(batch * heads * queries * valueSize), outDims);
  if (drawn.out === "query" && headSize === valueSize) options.out = query;

  // Before the call, which may write into the query.
  const truth = attend(problem);
  const naive = naiveAttend(problem);
  const got = attention.attend(query, key, value, options);
  const within = (
    name: string,
    a: ArrayLike<number>,
    b: ArrayLike<number>,
    c: ArrayLike<number>[],
  ) => {
    const share = shareOfTolerance(a, b, c);
    assert.ok(share <= 1, `${name}: ${share} of the tolerance`);
  };
  assert.deepEqual(got.output.dims, outDims);
  if (options.out instanceof Float32Array) assert.equal(got.output.data, options.out);
  else if (options.out) assert.equal(got.output.data, options.out.data);
  const output =
    layout === "BHLD"
      ? got.output.data
      : arrange(got.output.data, queries, heads, valueSize, "BLHD");
  within(
    "output",
    output,
    truth.output,
    naive.map((n) => n.output),
  );

  const leading = (withHeads: boolean) => [
    ...(rank === 4 ? [batch] : []),
    ...(withHeads && (layout === "BLE" || rank > 2) ? [heads] : []),
  ];
  if (drawn.weights) {
    const mean = drawn.weights === "mean";
    assert.deepEqual(got.weights?.dims, [...leading(!mean), queries, keys]);
    const pick = (s: typeof truth, round?: (x: number) => number) =>
      mean ? meanOverHeads(s.weights, batch, heads, round) : s.weights;
    within(
      "weights",
      got.weights!.data,
      pick(truth),
      naive.map((n) => pick(n, Math.fround)),
    );
  } else assert.equal(got.weights, undefined);
  if (drawn.logSumExp) {
    assert.deepEqual(got.logSumExp?.dims, [...leading(true), queries]);
    within(
      "logSumExp",
      got.logSumExp!.data,
      truth.logSumExp,
      naive.map((n) => n.logSumExp),
    );
  } else assert.equal(got.logSumExp, undefined);

  for (const allocated of release) allocated.dispose();
  assert.equal(attention.memory.used, before, "memory.used is back where it was");
}

for (const variant of variants) {
  test(`attend, every option at once, ${variant}`, async () => {
    const attention = await engine(variant);
    fc.assert(
      fc.property(problems, (drawn) => check(attention, drawn)),
      {
        seed: Number(process.env.SEED ?? 20261124),
        numRuns: Number(process.env.RUNS ?? 300),
        includeErrorInReport: true,
      },
    );
  });
}
