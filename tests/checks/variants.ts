// Drawn problems of the operations of wasm-attention/variants against float64 from their formulas, and their gradients
// along a drawn direction.

import assert from "node:assert/strict";
import fc from "fast-check";
import type { Tensor } from "wasm-attention";
import {
  type AdditiveBackwardOptions,
  additiveAttention,
  additiveAttentionBackward,
  linearAttention,
  linearAttentionBackward,
  type SparseBackwardOptions,
  spanAttend,
  spanAttendBackward,
  sparseAttend,
  sparseAttendBackward,
} from "wasm-attention/variants";
import { randomTensor, type Whole } from "../engines";
import { shareOfDraws } from "../reference";
import { tanhOfFloats } from "../reference-tanh";
import type { Round } from "../reference-variants";
import { alongDirection, dot } from "./direction";
import { entmaxGradients } from "./entmax-gradients";
import { draw, rules } from "./linear";
import { checkModified, modifiedProblems } from "./modified";
import { type AttendForm, drawAttend } from "./variant-attend";
import { checkRowwise, rowwise } from "./variant-rows";

const seed = fc.integer({ min: 1, max: 2 ** 31 });
const size = (max: number) => fc.integer({ min: 1, max });
const alpha = fc.constantFrom(1.0625, 1.25, 1.5, 1.5, 2, 2, 3, 8);

const attended = fc.record({
  seed,
  kind: fc.constantFrom("sparse", "additive", "span"),
  batch: size(2),
  keyValueHeads: size(2),
  groups: size(2),
  queries: fc.constantFrom(1, 2, 3, 7, 16, 65),
  keys: fc.constantFrom(0, 1, 2, 9, 31, 129),
  depth: size(9),
  columns: size(9),
  alpha: fc.option(alpha, { nil: undefined }),
  causal: fc.boolean(),
  window: fc.option(size(9), { nil: undefined }),
  lengths: fc.boolean(),
  masked: fc.boolean(),
  perHead: fc.boolean(),
  span: fc.integer({ min: 0, max: 20 }),
  ramp: size(9),
});

const recurrent = fc.record({
  seed,
  rule: fc.constantFrom(...rules),
  batch: size(2),
  heads: fc.constantFrom([1, 1, 1], [2, 2, 2], [4, 2, 2], [2, 1, 4], [6, 1, 3]),
  keys: fc.constantFrom(0, 1, 2, 31, 32, 33, 65),
  depth: size(17),
  columns: size(17),
  wide: fc.boolean(),
  elu: fc.boolean(),
  started: fc.boolean(),
  lengths: fc.boolean(),
});

export const variantProblems = fc.oneof(
  fc.record({ attended }),
  fc.record({ recurrent }),
  fc.record({ rowwise }),
  { weight: 2, arbitrary: fc.record({ modified: modifiedProblems }) },
);
type DrawnBy<Problems> = Problems extends fc.Arbitrary<infer T> ? T : never;

export function checkVariants(attention: Whole, drawn: DrawnBy<typeof variantProblems>): void {
  const { used } = attention.memory;
  if ("attended" in drawn) checkAttended(attention, drawn.attended);
  else if ("recurrent" in drawn) checkRecurrent(attention, drawn.recurrent);
  else if ("rowwise" in drawn) checkRowwise(attention, drawn.rowwise);
  else checkModified(attention, drawn.modified);
  assert.equal(attention.memory.used, used);
}

interface Moved {
  readonly numbers: Record<string, Float64Array>;
  truth(round?: Round, first?: number, tanh?: (x: number) => number): Record<string, number[]>;
}

const MOST_DRAWS = 32;

/**
 * Errors of naive computations of this problem and of some next to it, put on its truth; see naiveDraws. Past
 * α = 2, where entmax makes much of it, the later ones have float32's own tanh.
 */
function drawsOf({ numbers, truth }: Moved) {
  const exactly = truth();
  const drawn: Record<string, number[]>[] = [];
  return (k: number) => {
    if (k >= MOST_DRAWS) return undefined;
    if (drawn[k]) return drawn[k];
    const kept = Object.entries(numbers).map(([name, x]) => [name, x.slice()] as const);
    for (const name of ["query", "value"])
      numbers[name].forEach((x, i, all) => {
        all[i] = Math.fround(x * (1 + k * 2 ** -18));
      });
    const tanh = k < MOST_DRAWS / 2 ? undefined : tanhOfFloats;
    const [naive, near] = [truth(Math.fround, 0, tanh), truth()];
    for (const [name, x] of kept) numbers[name].set(x);
    drawn[k] = Object.fromEntries(
      Object.entries(exactly).map(([name, of]) => [
        name,
        of.map((x, i) => x + (naive[name][i] - near[name][i])),
      ]),
    );
    return drawn[k];
  };
}

function within(got: Record<string, Tensor | undefined>, problem: Moved, names: string[]): void {
  const want = problem.truth();
  const draws = drawsOf(problem);
  for (const name of names) {
    const { data } = got[name] as Tensor;
    const share = shareOfDraws(data, want[name], draws, (one) => one[name]);
    assert.ok(share <= 1, `${name}: ${share} of the tolerance`);
  }
}

function checkAttended(attention: Whole, drawn: DrawnBy<typeof attended>): void {
  const { batch, queries, keys, columns, keyValueHeads, groups } = drawn;
  const heads = keyValueHeads * groups;
  const { kind } = drawn;
  const form: AttendForm = {
    ...{ kind, causal: drawn.causal, masked: drawn.masked, window: drawn.window },
    alpha: kind === "span" ? undefined : (drawn.alpha ?? (kind === "sparse" ? 1.5 : undefined)),
    perHead: kind === "additive" && drawn.perHead,
    lengths: drawn.lengths ? Array.from({ length: batch }, (_, b) => keys >> b) : undefined,
    // Not where a key lies at the bend of the ramp.
    spans:
      kind === "span" ? Array.from({ length: heads }, (_, h) => drawn.span + h + 0.375) : undefined,
    ramp: drawn.ramp,
  };
  const problem = drawAttend({ ...drawn, heads }, form, drawn.seed);
  const { query, key, value, sparse, added, spanned } = problem;
  const asked = { weights: true } as const;
  const got =
    kind === "sparse"
      ? sparseAttend(attention, query, key, value, { ...sparse, ...asked })
      : kind === "additive"
        ? additiveAttention(attention, query, key, value, { ...added, ...asked })
        : spanAttend(attention, query, key, value, { ...spanned, ...asked });
  within({ output: got.output, weights: got.weights }, problem, ["output", "weights"]);

  const outputGradient = randomTensor([batch, heads, queries, columns], drawn.seed + 10);
  const weightsGradient = randomTensor([batch, heads, queries, keys], drawn.seed + 11);
  const pass = { query, key, value, outputGradient, weightsGradient };
  const loss = (of: Record<string, number[]>) =>
    dot(of.output, outputGradient.data) + dot(of.weights, weightsGradient.data);
  const shared = (of: { queryGradient: Tensor; keyGradient: Tensor; valueGradient: Tensor }) => ({
    query: of.queryGradient,
    key: of.keyGradient,
    value: of.valueGradient,
  });
  const compare = (gradients: Record<string, Tensor | undefined>) => {
    const { alpha = 1.5 } = drawn;
    if (alpha <= 4) alongDirection(problem, gradients, loss, drawn.seed + 20);
    else {
      // A weight is the (α − 1)th root of its distance to τ: past 4, differences in float64 are no slopes.
      const { numbers, truth } = problem;
      const [output, weighed] = [outputGradient.data, weightsGradient.data];
      const formula = (round?: Round, first?: number, tanh?: (x: number) => number) => {
        const of = { ...numbers, weights: truth(round, first, tanh).weights, output, weighed };
        const made = { alpha, perHead: kind === "additive" ? drawn.perHead : undefined };
        return entmaxGradients({ ...drawn, heads }, of, made, round);
      };
      within(gradients, { numbers, truth: formula }, Object.keys(gradients));
    }
  };
  if (kind === "sparse") {
    compare(shared(sparseAttendBackward(attention, pass, sparse as SparseBackwardOptions)));
  } else if (kind === "additive") {
    const back = additiveAttentionBackward(attention, pass, added as AdditiveBackwardOptions);
    const own = { weight: back.scoreWeightGradient, bias: back.scoreBiasGradient };
    compare({ ...shared(back), ...own });
  } else {
    const back = spanAttendBackward(attention, pass, spanned as never);
    const own = { spans: back.spansGradient };
    alongDirection(problem, { ...shared(back), ...own }, loss, drawn.seed + 20);
  }
}

function checkRecurrent(attention: Whole, drawn: DrawnBy<typeof recurrent>): void {
  const { batch, keys, rule } = drawn;
  const elu = drawn.elu && rule === "linear";
  const form = {
    ...{ rule, elu, wide: drawn.wide, started: drawn.started },
    lengths: drawn.lengths ? Array.from({ length: batch }, (_, b) => keys >> b) : undefined,
  };
  const problem = draw(drawn, form, drawn.seed);
  const { query, key, value, options } = problem;
  const got = linearAttention(attention, query, key, value, options);
  within({ ...got }, problem, ["output", "state"]);
  if (rule.includes("delta")) return;
  const outputGradient = randomTensor(got.output.dims, drawn.seed + 10);
  const stateGradient = randomTensor(got.state.dims, drawn.seed + 11);
  const pass = { query, key, value, outputGradient, stateGradient };
  const back = linearAttentionBackward(attention, pass, options as never);
  const gradients = {
    query: back.queryGradient,
    key: back.keyGradient,
    value: back.valueGradient,
    decay: back.decayGradient,
    state: back.stateGradient,
  };
  const loss = (of: Record<string, number[]>) =>
    dot(of.output, outputGradient.data) + dot(of.state, stateGradient.data);
  alongDirection(problem, gradients, loss, drawn.seed + 20);
}
