// Parts over ranges of the keys, merged, against the whole in float64.

import assert from "node:assert/strict";
import fc from "fast-check";
import { type AttendState, type Layout, mergeStates, tensor } from "wasm-attention";
import { randomArray, type Whole } from "../engines";
import {
  attend,
  type Merged,
  merge,
  naiveDraws,
  type Problem,
  type Round,
  shareOfDraws,
  type Way,
} from "../reference";
import { arrange, dimsOf } from "./problems";

export const mergeProblems = fc.record({
  seed: fc.integer({ min: 1, max: 2 ** 31 }),
  batch: fc.integer({ min: 1, max: 2 }),
  heads: fc.integer({ min: 1, max: 3 }),
  queries: fc.constantFrom(1, 3, 7, 64, 65),
  // The last key of each part; equal neighbours make an empty part.
  cuts: fc.array(fc.integer({ min: 0, max: 150 }), { maxLength: 5 }),
  headSize: fc.constantFrom(1, 5, 16),
  valueSize: fc.constantFrom(1, 4, 7, 8),
  amplitude: fc.constantFrom(1, 10, 1e4),
  layout: fc.constantFrom<Layout>("BHLD", "BLHD", "BLE"),
  rank: fc.constantFrom(4, 3),
  allocated: fc.boolean(),
  out: fc.constantFrom("none", "plain", "first"),
});

type Drawn = typeof mergeProblems extends fc.Arbitrary<infer T> ? T : never;

export function checkMerge(attention: Whole, drawn: Drawn): void {
  const { heads, queries, headSize, valueSize, layout, rank, seed } = drawn;
  const batch = rank === 4 ? drawn.batch : 1;
  const keys = 150;
  const query = randomArray(batch * heads * queries * headSize, seed, drawn.amplitude);
  const key = randomArray(batch * heads * keys * headSize, seed + 1);
  const value = randomArray(batch * heads * keys * valueSize, seed + 2);
  const sinks = randomArray(heads, seed + 3);
  const cuts = [0, ...drawn.cuts.sort((a, b) => a - b), keys];
  const scale = 1 / Math.sqrt(headSize);
  const problem: Problem = {
    ...{ batch, heads, keyValueHeads: heads, queries, keys, headSize, valueSize },
    ...{ query, key, value, scale, sinks },
    present: () => true,
    visible: (_b, _h, i, j) => j <= i + 40,
    bias: () => 0,
  };
  const place = (data: Float32Array, rows: number, size: number) =>
    tensor(
      arrange(data, heads, rows, size, layout),
      dimsOf(layout, rank, batch, heads, rows, size),
    );
  const range = (data: Float32Array, size: number, from: number, to: number) =>
    data.filter((_, index) => {
      const row = Math.floor(index / size) % keys;
      return row >= from && row < to;
    });
  const { used } = attention.memory;
  const parts = cuts.slice(1).map((to, index): AttendState => {
    const from = cuts[index];
    const { output, logSumExp } = attention.attend(
      place(query, queries, headSize),
      place(range(key, headSize, from, to), to - from, headSize),
      place(range(value, valueSize, from, to), to - from, valueSize),
      {
        layout,
        ...(layout === "BLE" && { heads }),
        causal: true,
        queryOffset: 40 - from,
        logSumExp: true,
        // A sink belongs to one part only.
        sinks: index === 0 ? sinks : undefined,
      },
    );
    return { output, logSumExp: logSumExp! };
  });
  const given = drawn.allocated
    ? parts.map(({ output, logSumExp }) => {
        const copy = attention.allocate(output.dims);
        copy.data.set(output.data);
        return { output: copy, logSumExp };
      })
    : parts;
  const out =
    drawn.out === "none"
      ? undefined
      : drawn.out === "first"
        ? given[0].output
        : new Float32Array(batch * heads * queries * valueSize);
  const got = mergeStates(attention, given, {
    layout,
    ...(layout === "BLE" && { heads }),
    out,
  });
  if (out) assert.equal(got.output.data, out instanceof Float32Array ? out : out.data);
  const truth = attend(problem);
  // Merging rounds each part's logSumExp, whose last place is much where logits are huge: naive
  // float32 merges too.
  const solve = (whole: Problem, round?: Round, way?: Way): Merged =>
    merge(
      parts.map((_, index) =>
        attend(
          {
            ...whole,
            sinks: index === 0 ? sinks : undefined,
            visible: (b, h, i, j) =>
              j >= cuts[index] && j < cuts[index + 1] && whole.visible(b, h, i, j),
          },
          round,
          way,
        ),
      ),
      round,
    );
  const naive = naiveDraws(problem, { output: truth.output, logSumExp: truth.logSumExp }, solve);
  const output = arrange(
    got.output.data,
    queries,
    heads,
    valueSize,
    layout === "BHLD" ? layout : "BLHD",
  );
  const share = shareOfDraws(output, truth.output, naive, (s) => s.output, truth.reach);
  assert.ok(share <= 1, `output: ${share} of the tolerance`);
  const lse = shareOfDraws(got.logSumExp.data, truth.logSumExp, naive, (s) => s.logSumExp);
  assert.ok(lse <= 1, `logSumExp: ${lse} of the tolerance`);
  if (drawn.allocated)
    for (const part of given) (part.output as unknown as Disposable)[Symbol.dispose]();
  assert.equal(attention.memory.used, used);
}
