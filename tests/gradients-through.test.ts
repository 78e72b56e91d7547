// attendBackward through returned weights, logSumExp, scoreMod and relative biases, against central differences of the
// formulas in float64.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { AttendOptions, Tensor } from "wasm-attention";
import { relativeBias } from "wasm-attention/positions";
import {
  attendBackward,
  type BackwardOptions,
  type ScoreGradientTile,
} from "wasm-attention/training";
import { engine, randomArray, randomTensor, variants } from "./engines";
import { along, differences, dot, type HeadSizes, modifiedHeads } from "./reference-modified";

const small: HeadSizes[] = [
  { batch: 1, heads: 1, keyValueHeads: 1, queries: 1, keys: 1, depth: 1, columns: 1 },
  { batch: 2, heads: 4, keyValueHeads: 2, queries: 3, keys: 5, depth: 3, columns: 2 },
  { batch: 1, heads: 2, keyValueHeads: 1, queries: 7, keys: 6, depth: 9, columns: 10 },
];
const edges: HeadSizes[] = [
  { batch: 1, heads: 2, keyValueHeads: 1, queries: 67, keys: 131, depth: 11, columns: 8 },
  { batch: 1, heads: 1, keyValueHeads: 1, queries: 130, keys: 257, depth: 8, columns: 5 },
];

interface Form {
  causal?: boolean;
  softcap?: number;
  dropout?: { probability: number; seed: number };
  masked?: boolean;
  /** Scores become s · factor[i % 3] + table[h][j − i + n − 1]. */
  scoreMod?: boolean;
  /** A bias of each head, or one for all. */
  relative?: "each" | "all";
  lengths?: boolean;
}

const forms: Form[] = [
  {},
  { causal: true, softcap: 2 },
  { masked: true, lengths: true },
  { dropout: { probability: 0.25, seed: 7 } },
  { scoreMod: true },
  { scoreMod: true, causal: true, softcap: 1.5, lengths: true },
  { relative: "each", causal: true },
  { relative: "all", softcap: 3, scoreMod: true },
];

/** Options, the truth of them, and what is learnt besides the tensors. */
function pose(sizes: HeadSizes, form: Form, seed: number) {
  const { batch, heads, keyValueHeads, queries, keys, depth, columns } = sizes;
  const query = randomTensor([batch, heads, queries, depth], seed, 2);
  const key = randomTensor([batch, keyValueHeads, keys, depth], seed + 1, 2);
  const value = randomTensor([batch, keyValueHeads, keys, columns], seed + 2);
  const n = Math.max(queries, keys);
  const span = 2 * n - 1;
  const shared = form.relative === "all" ? 1 : heads;
  const bias = randomTensor([shared, span], seed + 3);
  const table = randomArray(heads * span, seed + 4);
  const factor = randomArray(3, seed + 5);
  const mask = Uint8Array.from(randomArray(queries * keys, seed + 6), (x) => (x > -0.3 ? 1 : 0));
  const lengths = Array.from({ length: batch }, (_, b) => Math.max(keys - 1 - b, 0));
  const exact = (x: Tensor | Float32Array) => Float64Array.from("dims" in x ? x.data : x);
  const numbers = {
    query: exact(query),
    key: exact(key),
    value: exact(value),
    bias: exact(bias),
    table: exact(table),
    factor: exact(factor),
  };
  const place = (i: number, j: number) => j - i + n - 1;
  const options: Omit<AttendOptions, "out"> = {
    causal: form.causal,
    softcap: form.softcap,
    dropout: form.dropout,
    keyLengths: form.lengths ? lengths : undefined,
    mask: form.relative
      ? relativeBias(bias)
      : form.masked
        ? { data: mask, dims: [queries, keys] }
        : undefined,
    scoreMod: form.scoreMod
      ? ({ scores, head, query: first, key: from, rows, columns: wide }) => {
          for (let i = 0; i < rows; i++)
            for (let j = 0; j < wide; j++)
              scores[i * wide + j] =
                scores[i * wide + j] * factor[(first + i) % 3] +
                table[head * span + place(first + i, from + j)];
        }
      : undefined,
  };
  const learnt = { table: new Float64Array(table.length), factor: new Float64Array(3) };
  const scoreModGradient = form.scoreMod
    ? ({
        scores,
        gradients,
        head,
        query: first,
        key: from,
        rows,
        columns: wide,
      }: ScoreGradientTile) => {
        for (let i = 0; i < rows; i++)
          for (let j = 0; j < wide; j++) {
            const at = i * wide + j;
            learnt.table[head * span + place(first + i, from + j)] += gradients[at];
            learnt.factor[(first + i) % 3] += gradients[at] * scores[at];
            gradients[at] *= factor[(first + i) % 3];
          }
      }
    : undefined;
  const truth = (factors?: ArrayLike<number>) =>
    modifiedHeads(sizes, numbers, (b, h) => ({
      scale: 1 / Math.sqrt(depth),
      softcap: form.softcap ?? 0,
      visible: (i, j) =>
        (!form.causal || j <= i) &&
        (!form.lengths || j < lengths[b]) &&
        (!form.masked || mask[i * keys + j] === 1),
      scoreMod: form.scoreMod
        ? (s, i, j) => s * numbers.factor[i % 3] + numbers.table[h * span + place(i, j)]
        : undefined,
      bias: form.relative
        ? (i, j) => numbers.bias[(shared === 1 ? 0 : h * span) + place(i, j)]
        : undefined,
      weightMod: factors
        ? (w, i, j) => w * factors[((b * heads + h) * queries + i) * keys + j]
        : undefined,
    }));
  return { query, key, value, numbers, options, scoreModGradient, learnt, truth };
}

for (const variant of variants) {
  test(`gradients of every form are those of differences, ${variant}`, async () => {
    const attention = await engine(variant);
    const { used } = attention.memory;
    for (const [index, sizes] of [...small, ...edges].entries())
      for (const [number, form] of forms.entries()) {
        const posed = pose(sizes, form, 1000 * index + 10 * number + 3);
        const { query, key, value, numbers, options, learnt, scoreModGradient } = posed;
        const asked = { ...options, logSumExp: true, weights: true } as const;
        const { output, logSumExp, weights } = attention.attend(query, key, value, asked);
        const outputGradient = randomTensor(output.dims, 11);
        const weightsGradient = randomTensor(weights.dims, 12);
        const logSumExpGradient = randomTensor(logSumExp.dims, 13);
        const back: BackwardOptions = {
          ...options,
          scoreModGradient,
          gradients: form.relative ? { mask: true } : undefined,
        };
        const got = attendBackward(
          attention,
          {
            ...{ query, key, value, output, logSumExp, weights },
            ...{ outputGradient, weightsGradient, logSumExpGradient },
          },
          back,
        );
        // Which weights are dropped is not what is tested here.
        const { probability = 0 } = form.dropout ?? {};
        const factors =
          form.dropout && weights.data.map((weight) => (weight ? 1 / (1 - probability) : 0));
        const loss = () => {
          const [o, w, lse] = posed.truth(factors);
          const total = dot(o, outputGradient.data) + dot(w, weightsGradient.data);
          return (
            total +
            lse.reduce(
              (sum, x, i) => (x === -Infinity ? sum : sum + x * logSumExpGradient.data[i]),
              0,
            )
          );
        };
        const whole = posed.truth(factors);
        for (const [i, x] of whole[0].entries()) assert.ok(Math.abs(output.data[i] - x) < 2e-5);
        const all: Record<string, ArrayLike<number> | undefined> = {
          query: got.queryGradient.data,
          key: got.keyGradient.data,
          value: got.valueGradient.data,
          bias: got.maskGradient?.data,
          ...(form.scoreMod && learnt),
        };
        assert.equal(all.bias !== undefined, form.relative !== undefined);
        for (const [name, gradient] of Object.entries(all)) {
          if (!gradient) continue;
          const moved = numbers[name as keyof typeof numbers];
          const what = `${name} of ${JSON.stringify({ sizes, form })}`;
          assert.equal(gradient.length, moved.length);
          if (sizes.queries > 60) {
            for (const seed of [5, 6]) {
              const direction = randomArray(moved.length, seed);
              const want = along(moved, direction, loss);
              const size = direction.reduce((sum, x, i) => sum + Math.abs(x * gradient[i]), 1);
              const error = Math.abs(dot(gradient, direction) - want) / size;
              assert.ok(error < 1e-5, `${what}: ${dot(gradient, direction)} for ${want}`);
            }
            continue;
          }
          const want = differences(moved, loss);
          const largest = want.reduce((most, x) => Math.max(most, Math.abs(x)), 1);
          want.forEach((x, i) => {
            const error = Math.abs(gradient[i] - x) / largest;
            assert.ok(error < 2e-5, `${what}: ${gradient[i]} for ${x}`);
          });
        }
        assert.equal(attention.memory.used, used);
      }
  });
}
