// Drawn problems of attend with normalizers, with functions on scores and weights, relative biases and gradients through
// everything that it returns, against float64 from their formulas; and of latents, whose values are copied out for attend.

import assert from "node:assert/strict";
import fc from "fast-check";
import { type AttendOptions, type ScoreTile, type Tensor, tensor } from "wasm-attention";
import { relativeBias } from "wasm-attention/positions";
import { attendBackward } from "wasm-attention/training";
import {
  alphaEntmax,
  alphaNormmax,
  attendLatent,
  budget,
  entmax15,
  modifiedWeights,
  type Normalizer,
  sparsemax,
  type WeightGradientTile,
  type WeightTile,
} from "wasm-attention/variants";
import { bitsOf, randomArray, randomTensor, type Whole } from "../engines";
import { type HeadSizes, type ModifiedHead, modifiedHeads } from "../reference-modified";
import { budgetRow, normmaxRow } from "../reference-sparse";
import { entmaxRow } from "../reference-variants";
import { alongDirection, dot } from "./direction";

const size = (max: number) => fc.integer({ min: 1, max });
const seed = fc.integer({ min: 1, max: 2 ** 31 });
const kinds = ["sparsemax", "entmax15", "entmax", "normmax", "budget"] as const;
type Kind = (typeof kinds)[number];

const sizes = {
  seed,
  batch: size(2),
  keyValueHeads: size(2),
  groups: size(2),
  queries: fc.constantFrom(1, 2, 3, 7, 16, 65),
  keys: fc.constantFrom(0, 1, 2, 9, 31, 129),
  depth: size(9),
};

const attended = fc.record({
  ...sizes,
  columns: size(9),
  kind: fc.constantFrom(undefined, undefined, ...kinds),
  each: fc.boolean(),
  causal: fc.boolean(),
  window: fc.option(size(9), { nil: undefined }),
  lengths: fc.boolean(),
  softcap: fc.constantFrom(undefined, undefined, 2),
  scoreMod: fc.boolean(),
  weightMod: fc.boolean(),
  relative: fc.constantFrom(undefined, undefined, "each" as const, "all" as const),
  weights: fc.boolean(),
  logSumExp: fc.boolean(),
});

const latent = fc.record({
  ...sizes,
  valueSize: size(9),
  layout: fc.constantFrom("BHLD" as const, "BLHD" as const),
  causal: fc.constantFrom(undefined, true, "lower-right" as const),
  normalizer: fc.constantFrom(undefined, entmax15, alphaEntmax(1.25), alphaNormmax(2), budget(1.5)),
});

export const modifiedProblems = fc.oneof(
  { weight: 4, arbitrary: fc.record({ attended }) },
  { weight: 1, arbitrary: fc.record({ latent }) },
);
type DrawnBy<Problems> = Problems extends fc.Arbitrary<infer T> ? T : never;

export function checkModified(attention: Whole, drawn: DrawnBy<typeof modifiedProblems>): void {
  const { used } = attention.memory;
  if ("latent" in drawn) checkLatent(attention, drawn.latent);
  else checkAttended(attention, drawn.attended);
  assert.equal(attention.memory.used, used);
}

function checkLatent(attention: Whole, drawn: DrawnBy<typeof latent>): void {
  const { batch, keyValueHeads, queries, keys, depth, layout } = drawn;
  const valueSize = Math.min(drawn.valueSize, depth);
  const dims = (heads: number, rows: number, wide: number) =>
    layout === "BHLD" ? [batch, heads, rows, wide] : [batch, rows, heads, wide];
  const query = randomTensor(dims(keyValueHeads * drawn.groups, queries, depth), drawn.seed, 2);
  const rows = randomTensor(dims(keyValueHeads, keys, depth), drawn.seed + 1, 2);
  const value = tensor(
    rows.data.filter((_, at) => at % depth < valueSize),
    dims(keyValueHeads, keys, valueSize),
  );
  const options = {
    layout,
    causal: drawn.causal,
    normalizer: drawn.normalizer,
    weights: true,
  } as const;
  assert.deepEqual(
    bitsOf(attendLatent(attention, query, rows, { ...options, valueSize })),
    bitsOf(attention.attend(query, rows, value, options)),
  );
}

/** Numbers of each head, and what they make of a row. */
const rowsOf: Record<Kind, { of: readonly number[]; row: typeof normmaxRow }> = {
  sparsemax: { of: [2], row: entmaxRow },
  entmax15: { of: [1.5], row: entmaxRow },
  entmax: { of: [1.25, 1.5, 2, 1.75], row: entmaxRow },
  normmax: { of: [1.25, 2, 1.5, 1.75], row: normmaxRow },
  budget: { of: [1.5, 0.75, 2.25, 5.5], row: budgetRow },
};
const makers = { entmax: alphaEntmax, normmax: alphaNormmax, budget };

function normalizerOf(kind: Kind, alphas: readonly number[]): Normalizer {
  if (kind === "sparsemax") return sparsemax;
  return kind === "entmax15" ? entmax15 : makers[kind](alphas);
}

/** s → s · factor[i % 3] + shift[j % 5], w → w² + factor · w + shift, and back; sums of what scores learn. */
function functionsOf(factor: Float32Array, shift: Float32Array) {
  const learnt = { factor: new Float64Array(3), shift: new Float64Array(5) };
  const at = ({ query, key, columns }: Pick<ScoreTile, "query" | "key" | "columns">, n: number) => [
    (query + Math.floor(n / columns)) % 3,
    (key + (n % columns)) % 5,
  ];
  return {
    learnt,
    scoreMod(tile: ScoreTile) {
      for (let n = 0; n < tile.scores.length; n++) {
        const [i, j] = at(tile, n);
        tile.scores[n] = tile.scores[n] * factor[i] + shift[j];
      }
    },
    scoreModGradient(tile: ScoreTile & { readonly gradients: Float32Array }) {
      for (let n = 0; n < tile.gradients.length; n++) {
        const [i, j] = at(tile, n);
        learnt.factor[i] += tile.gradients[n] * tile.scores[n];
        learnt.shift[j] += tile.gradients[n];
        tile.gradients[n] *= factor[i];
      }
    },
    weightMod(tile: WeightTile) {
      for (let n = 0; n < tile.weights.length; n++) {
        const [i, j] = at(tile, n);
        tile.weights[n] = tile.weights[n] ** 2 + factor[i] * tile.weights[n] + shift[j];
      }
    },
    weightModGradient(tile: WeightGradientTile) {
      for (let n = 0; n < tile.gradients.length; n++)
        tile.gradients[n] *= 2 * tile.weights[n] + factor[at(tile, n)[0]];
    },
  };
}

function checkAttended(attention: Whole, drawn: DrawnBy<typeof attended>): void {
  const { batch, keyValueHeads, queries, keys, depth, columns, kind, seed: first } = drawn;
  const heads = keyValueHeads * drawn.groups;
  const own: HeadSizes = { batch, heads, keyValueHeads, queries, keys, depth, columns };
  const query = randomTensor([batch, heads, queries, depth], first, 2);
  const key = randomTensor([batch, keyValueHeads, keys, depth], first + 1, 2);
  const value = randomTensor([batch, keyValueHeads, keys, columns], first + 2);
  const [factor, shift] = [randomArray(3, first + 3), randomArray(5, first + 4)];
  const n = Math.max(queries, keys);
  const shared = drawn.relative === "all" ? 1 : heads;
  const bias = randomTensor([shared, 2 * n - 1], first + 5);
  const lengths = Array.from({ length: batch }, (_, b) => keys >> b);
  const weightMod = kind !== undefined && drawn.weightMod;
  const { of, row } = rowsOf[kind ?? "sparsemax"];
  const alphas = Array.from({ length: heads }, (_, h) => of[drawn.each ? h % of.length : 0]);
  const { learnt, ...functions } = functionsOf(factor, shift);

  const made = kind && normalizerOf(kind, alphas);
  const options = {
    causal: drawn.causal,
    window: drawn.window === undefined ? undefined : { left: drawn.window },
    keyLengths: drawn.lengths ? lengths : undefined,
    softcap: drawn.softcap,
    mask: drawn.relative && relativeBias(bias),
    scoreMod: drawn.scoreMod ? functions.scoreMod : undefined,
    normalizer: weightMod
      ? modifiedWeights({
          weightMod: functions.weightMod,
          weightModGradient: functions.weightModGradient,
          normalizer: made,
        })
      : made,
  } satisfies AttendOptions;

  const exact = (x: Tensor | Float32Array) => Float64Array.from("dims" in x ? x.data : x);
  const numbers = {
    ...{ query: exact(query), key: exact(key), value: exact(value), bias: exact(bias) },
    ...{ factor: exact(factor), shift: exact(shift), alpha: Float64Array.from(alphas) },
  };
  const fixed = { factor: exact(factor), shift: exact(shift) };
  const headOf = (
    b: number,
    h: number,
  ): Omit<ModifiedHead, keyof HeadSizes | "query" | "key" | "value"> => ({
    scale: 1 / Math.sqrt(depth),
    softcap: drawn.softcap,
    weigh: kind && ((scores) => row(scores, numbers.alpha[h])),
    visible: (i, j) =>
      (!drawn.causal || j <= i) &&
      (drawn.window === undefined || j >= i - drawn.window) &&
      (!drawn.lengths || j < lengths[b]),
    scoreMod: drawn.scoreMod
      ? (s, i, j) => s * numbers.factor[i % 3] + numbers.shift[j % 5]
      : undefined,
    bias: drawn.relative
      ? (i, j) => numbers.bias[(shared === 1 ? 0 : h * (2 * n - 1)) + j - i + n - 1]
      : undefined,
    // What weights learn is not summed.
    weightMod: weightMod
      ? (w, i, j) => w ** 2 + fixed.factor[i % 3] * w + fixed.shift[j % 5]
      : undefined,
  });
  const truth = () => {
    const [output, weights, logSumExp] = modifiedHeads(own, numbers, headOf);
    return { output, weights, logSumExp };
  };

  const asksState = kind === undefined;
  const got = attention.attend(query, key, value, {
    ...{ ...options, weights: true, logSumExp: asksState },
  });
  const want = truth();
  for (const [name, tolerance] of [
    ["output", 2e-5 * (keys + 1)],
    ["weights", 2e-5],
  ] as const)
    for (const [i, x] of want[name].entries()) {
      const error = Math.abs((got[name] as Tensor).data[i] - x);
      assert.ok(error <= tolerance, `${name}[${i}]: ${(got[name] as Tensor).data[i]} for ${x}`);
    }

  const outputGradient = randomTensor(got.output.dims, first + 10);
  const weightsGradient = randomTensor([batch, heads, queries, keys], first + 11);
  const stateGradient = randomTensor([batch, heads, queries], first + 12);
  const through = { weights: drawn.weights, state: asksState && drawn.logSumExp };
  const asked = {
    ...options,
    scoreModGradient: drawn.scoreMod ? functions.scoreModGradient : undefined,
    gradients: drawn.relative ? { mask: true } : undefined,
  };
  const pass = {
    ...{
      query,
      key,
      value,
      outputGradient,
      output: got.output,
      logSumExp: got.logSumExp as Tensor,
    },
    ...(through.weights && { weights: got.weights, weightsGradient }),
    ...(through.state && { logSumExpGradient: stateGradient }),
  };
  const back = attendBackward(attention, pass, asked);
  if (bends(own, numbers, headOf)) return;
  const scored = drawn.scoreMod && !weightMod;
  const like = (data: ArrayLike<number>) => tensor(Float32Array.from(data), [data.length]);
  const gradients = {
    ...{ query: back.queryGradient, key: back.keyGradient, value: back.valueGradient },
    bias: back.maskGradient,
    factor: scored ? like(learnt.factor) : undefined,
    shift: scored ? like(learnt.shift) : undefined,
    alpha: back.alphaGradient,
  };
  const loss = ({ output, weights, logSumExp }: ReturnType<typeof truth>) =>
    dot(output, outputGradient.data) +
    (through.weights ? dot(weights, weightsGradient.data) : 0) +
    (through.state
      ? logSumExp.reduce((sum, x, i) => sum + (x === -Infinity ? 0 : x * stateGradient.data[i]), 0)
      : 0);
  alongDirection({ numbers, truth }, gradients, loss, first + 20);
}

/** Whether some key is so close to where its weight begins to move that float32 may see it on the other side. */
function bends(
  own: HeadSizes,
  numbers: { query: Float64Array; key: Float64Array; value: Float64Array; alpha: Float64Array },
  headOf: Parameters<typeof modifiedHeads>[2],
): boolean {
  const sides = (by: number) => {
    const query = numbers.query.map((x) => x * by);
    const plain: typeof headOf = (b, h) => ({ ...headOf(b, h), weightMod: undefined });
    const [, weights] = modifiedHeads(own, { ...numbers, query }, plain);
    return weights.map((p) => (p > 0 ? (p < 1 ? 1 : 2) : 0)).join("");
  };
  return sides(1 - 1e-5) !== sides(1 + 1e-5);
}
