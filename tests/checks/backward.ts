// A drawn problem put to attend and attendBackward, held against the reference.

import assert from "node:assert/strict";
import fc from "fast-check";
import { type Mask, type MaskData, type RelativeBias, type Tensor, tensor } from "wasm-attention";
import { attendBackward, type BackwardOptions } from "wasm-attention/training";
import { randomArray, type Whole } from "../engines";
import { naiveDraws, type Round, shareOfDraws } from "../reference";
import {
  type BackwardProblem,
  type BackwardSolution,
  type Gradients,
  attendBackward as solve,
} from "../reference-backward";
import { tensorIn } from "./buffers";
import { arrange, type Drawn, dimsOf, pose, problems, spoil } from "./problems";

export const backwardProblems = fc.record({
  drawn: problems,
  into: fc.constantFrom("none", "none", "plain", "allocated"),
  accumulate: fc.boolean(),
  asked: fc.boolean(),
});
type BackwardDrawn = typeof backwardProblems extends fc.Arbitrary<infer T> ? T : never;

/** What has no gradient or belongs to forward alone is taken out. */
export function plain(drawn: Drawn): Drawn {
  const none = undefined;
  return { ...drawn, modified: false, weights: none, scores: none, out: "none", logSumExp: true };
}

export function checkBackward(attention: Whole, { drawn, ...how }: BackwardDrawn): void {
  const posed = pose(plain(drawn));
  const { options } = posed;
  const { layout, rank } = drawn;
  const { batch, heads, keyValueHeads, queries, keys, headSize, valueSize } = posed.problem;
  const problem: BackwardProblem = {
    ...posed.problem,
    outputGradient: randomArray(batch * heads * queries * valueSize, drawn.seed + 3),
  };
  if (drawn.poison !== undefined) poisonRows(problem, drawn.poison);
  const before = attention.memory.used;
  const release: { dispose(): void }[] = [];
  const place = (data: Float32Array, dims: number[], allocated = drawn.allocated): Tensor => {
    if (!allocated) return tensor(data, dims);
    const made = attention.allocate(dims);
    made.data.set(data);
    release.push(made);
    return made;
  };
  const laid = (data: Float32Array, h: number, rows: number, size: number) => {
    const [arranged, dims] = [
      arrange(data, h, rows, size, layout),
      dimsOf(layout, rank, batch, h, rows, size),
    ];
    if (drawn.allocated) return place(arranged, dims);
    const [copy, whole] = tensorIn(drawn.buffers, attention, arranged, dims);
    if (whole) release.push(whole);
    return copy;
  };
  const query = laid(problem.query, heads, queries, headSize);
  const key = laid(problem.key, keyValueHeads, keys, headSize);
  const value = laid(problem.value, keyValueHeads, keys, valueSize);
  const gradient = laid(problem.outputGradient, heads, queries, valueSize);
  const state = attention.attend(query, key, value, options);

  const masks = ([options.mask ?? []].flat() as Exclude<Mask, MaskData | RelativeBias>[]).map(
    (mask) => ({
      ...mask,
      additive: mask.data instanceof Float32Array,
    }),
  );
  const gradients = how.asked
    ? {
        mask: masks.some(({ additive }) => additive),
        alibi: !!drawn.alibi,
        sinks: drawn.sinks !== "none",
      }
    : undefined;
  const backward: BackwardOptions = { ...options, out: undefined, gradients };
  const inputs = { query, key, value };
  const there = { query: 3, key: -2, value: 0.5 };
  const target = (name: keyof typeof inputs) => {
    const { dims, data } = inputs[name];
    return place(new Float32Array(data.length).fill(there[name]), [...dims], how.into !== "plain");
  };
  const out =
    how.into === "none"
      ? undefined
      : {
          query: target("query"),
          key: target("key"),
          value: target("value"),
        };
  const accumulate = out !== undefined && how.accumulate;
  const { logSumExp } = state;
  assert.ok(logSumExp);
  const got = attendBackward(
    attention,
    { ...{ output: state.output, logSumExp }, query, key, value, outputGradient: gradient },
    { ...backward, out, accumulate },
  );

  const truth = solve(problem);
  const naive = naiveDraws(problem, truth, solve);
  // Where one weight is nearly 1, terms of dS cancel to next to nothing: last places are those of the
  // terms then, as they are in attend's outputs.
  const within = (
    name: string,
    a: ArrayLike<number>,
    pick: (solution: BackwardSolution, round?: Round) => ArrayLike<number>,
    reach: number,
  ) => {
    const share = shareOfDraws(a, pick(truth), naive, (s) => pick(s, Math.fround), reach);
    assert.ok(share <= 1, `${name}: ${share} of the tolerance`);
  };
  const back = (data: Float32Array, h: number, rows: number, size: number) =>
    layout === "BHLD" ? data : arrange(data, rows, h, size, "BLHD");
  const check = (name: "query" | "key" | "value", h: number, rows: number, size: number) => {
    const result = got[`${name}Gradient`];
    assert.deepEqual(result.dims, inputs[name].dims);
    if (out) assert.equal(result.data, out[name].data);
    const added = accumulate ? there[name] : 0;
    const pick = (s: BackwardSolution) => s.gradients[name].map((x) => x + added);
    const reach = truth.reaches[name] + Math.abs(added);
    within(name, back(result.data, h, rows, size), pick, reach);
  };
  check("query", heads, queries, headSize);
  check("key", keyValueHeads, keys, headSize);
  check("value", keyValueHeads, keys, valueSize);

  const listed = Array.isArray(options.mask);
  const ofMasks = listed ? got.maskGradients : got.maskGradient && [got.maskGradient];
  assert.equal(listed ? got.maskGradient : got.maskGradients, undefined);
  if (gradients?.mask) {
    assert.equal(ofMasks?.length, masks.length);
    for (const [index, { additive, dims }] of masks.entries()) {
      const result: Tensor | undefined = ofMasks?.[index];
      assert.deepEqual(result?.dims, additive ? dims : undefined);
      if (!result) continue;
      const full = [batch, heads, queries, keys];
      const inBatch = dims.length === 3 && dims[0] === batch * heads && batch > 1;
      const unfolded = inBatch && dims[0] !== heads ? [batch, heads, ...dims.slice(1)] : dims;
      const sum = (s: BackwardSolution, round?: Round) =>
        summed(s.gradients.bias, full, unfolded, round);
      const share = full.reduce((a, b) => a * b, 1) / result.data.length;
      within(`mask ${index}`, result.data, sum, truth.reaches.bias * share);
    }
  } else assert.equal(ofMasks, undefined);
  const perHead = (sums: Float64Array) =>
    Float64Array.from({ length: heads }, (_, h) =>
      Array.from({ length: batch }, (_, b) => sums[b * heads + h]).reduce((a, b) => a + b, 0),
    );
  const checkHeads = (name: keyof Gradients, result: Tensor | undefined, perBatch: boolean) => {
    assert.ok(result);
    assert.deepEqual(result.dims, perBatch ? [batch, heads] : [heads]);
    const pick = ({ gradients }: BackwardSolution) =>
      perBatch ? gradients[name] : perHead(gradients[name]);
    within(name, result.data, pick, truth.reaches[name] * (perBatch ? 1 : batch));
  };
  if (gradients?.alibi) {
    const perBatch = drawn.slopesPerBatch && batch > 1;
    checkHeads("slopes", got.slopesGradient, perBatch);
  } else assert.equal(got.slopesGradient, undefined);
  if (gradients?.sinks) checkHeads("sinks", got.sinksGradient, false);
  else assert.equal(got.sinksGradient, undefined);

  for (const allocated of release) allocated.dispose();
  assert.equal(attention.memory.used, before, "memory.used is back where it was");
}

/** [B, H, L, S] summed over the axes that `dims` has once. */
function summed(
  data: Float64Array,
  full: number[],
  dims: readonly number[],
  round = (x: number) => x,
) {
  const padded = [1, 1, 1, 1, ...dims].slice(-4);
  const sums = new Float64Array(padded.reduce((a, b) => a * b, 1));
  for (const [index, x] of data.entries()) {
    let rest = index;
    const at = full.map(() => 0);
    for (let axis = 3; axis >= 0; axis--) {
      at[axis] = rest % full[axis];
      rest = Math.floor(rest / full[axis]);
    }
    // Keys past a shorter mask are left out.
    if (padded[3] > 1 && at[3] >= padded[3]) continue;
    const target = padded.reduce((sum, size, axis) => sum * size + (size === 1 ? 0 : at[axis]), 0);
    sums[target] = round(sums[target] + x);
  }
  return sums;
}

/** Puts `bad` into every query that sees no key, and into its output's gradient. */
function poisonRows(problem: BackwardProblem, bad: number): void {
  const { batch, heads, queries, keys, headSize, valueSize, sinks } = problem;
  for (let b = 0; b < batch; b++)
    for (let h = 0; h < heads; h++)
      for (let i = 0; i < queries; i++) {
        let seen = problem.present(b, i, -1) && sinks !== undefined && sinks[h] !== -Infinity;
        for (let j = 0; j < keys && !seen; j++) seen = problem.visible(b, h, i, j);
        if (seen) continue;
        const row = (b * heads + h) * queries + i;
        spoil(problem.query, row, headSize, bad);
        spoil(problem.outputGradient, row, valueSize, bad);
      }
}
