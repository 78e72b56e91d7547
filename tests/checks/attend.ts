// A drawn problem put to attend and held against the reference.

import assert from "node:assert/strict";
import type { Tensor } from "wasm-attention";
import type { Whole } from "../engines";
import { attend, naiveDraws, type Solution, shareOfDraws } from "../reference";
import { arrayIn, tensorIn } from "./buffers";
import { arrange, type Drawn, dimsOf, pose } from "./problems";

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

/** One call against the reference, in every result it gives; and nothing stays allocated. */
export function checkAttend(attention: Whole, drawn: Drawn) {
  const { problem, options } = pose(drawn);
  const { batch, heads, keyValueHeads, queries, keys, headSize, valueSize } = problem;
  const { layout, rank } = drawn;
  const before = attention.memory.used;
  const release: { dispose(): void }[] = [];
  const place = (data: Float32Array, dims: number[]): Tensor => {
    if (!drawn.allocated) {
      // A copy, since the call may write into the query.
      const [copy, whole] = tensorIn(drawn.buffers, attention, data, dims);
      if (whole) release.push(whole);
      return copy;
    }
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
  if (drawn.out === "plain")
    options.out = arrayIn(drawn.buffers, batch * heads * queries * valueSize);
  if (drawn.out === "allocated")
    options.out = place(new Float32Array(batch * heads * queries * valueSize), outDims);
  if (drawn.out === "query" && headSize === valueSize) options.out = query;

  const truth = attend(problem);
  const naive = naiveDraws(problem, truth, attend);
  const got = attention.attend(query, key, value, options);
  const within = (
    name: string,
    a: ArrayLike<number>,
    pick: (solution: Solution) => ArrayLike<number>,
    exactly = pick(truth),
    reach?: number,
  ) => {
    const share = shareOfDraws(a, exactly, naive, pick, reach);
    assert.ok(share <= 1, `${name}: ${share} of the tolerance`);
  };
  assert.deepEqual(got.output.dims, outDims);
  if (options.out instanceof Float32Array) assert.equal(got.output.data, options.out);
  else if (options.out && release.length > 0) assert.deepEqual(got.output.data, options.out.data);
  else if (options.out) assert.equal(got.output.data, options.out.data);
  const output =
    layout === "BHLD"
      ? got.output.data
      : arrange(got.output.data, queries, heads, valueSize, "BLHD");
  within("output", output, (s) => s.output, truth.output, truth.reach);

  const leading = (withHeads: boolean) => [
    ...(rank === 4 ? [batch] : []),
    ...(withHeads && (layout === "BLE" || rank > 2) ? [heads] : []),
  ];
  if (options.weights) {
    const mean = options.weights === "mean";
    assert.deepEqual(got.weights?.dims, [...leading(!mean), queries, keys]);
    const pick = (s: Solution, round?: (x: number) => number) =>
      mean ? meanOverHeads(s.weights, batch, heads, round) : s.weights;
    within("weights", got.weights!.data, (s) => pick(s, Math.fround), pick(truth));
  } else assert.equal(got.weights, undefined);
  if (options.scores) {
    const pick = (s: Solution) =>
      options.scores === "probabilities" ? s.weights : s.scores[options.scores!];
    assert.deepEqual(got.scores?.dims, [...leading(true), queries, keys]);
    within("scores", got.scores!.data, pick);
  } else assert.equal(got.scores, undefined);
  if (drawn.logSumExp) {
    assert.deepEqual(got.logSumExp?.dims, [...leading(true), queries]);
    within("logSumExp", got.logSumExp!.data, (s) => s.logSumExp);
  } else assert.equal(got.logSumExp, undefined);

  for (const allocated of release) allocated.dispose();
  assert.equal(attention.memory.used, before, "memory.used is back where it was");
}
