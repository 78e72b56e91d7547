// Weights and scores that functions change on the strip road, there and back, against differences in float64.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { ScoreTile, Tensor } from "wasm-attention";
import { attendBackward, type ScoreGradientTile } from "wasm-attention/training";
import {
  alphaEntmax,
  modifiedWeights,
  type Normalizer,
  type WeightGradientTile,
  type WeightTile,
} from "wasm-attention/variants";
import { bitsOf, engine, randomArray, randomTensor, variants } from "./engines";
import { along, dot, type HeadSizes, modifiedHeads } from "./reference-modified";

interface ModForm {
  alpha?: number;
  causal?: boolean;
  softcap?: number;
  weightMod?: boolean;
  scoreMod?: boolean;
}

const modForms: ModForm[] = [
  { weightMod: true },
  { weightMod: true, alpha: 1.5, causal: true },
  { alpha: 2, softcap: 2 },
  { alpha: 1.5, scoreMod: true, softcap: 3 },
  { weightMod: true, scoreMod: true, causal: true, softcap: 2 },
];
const modSizes: HeadSizes[] = [
  { batch: 1, heads: 1, keyValueHeads: 1, queries: 1, keys: 1, depth: 1, columns: 1 },
  { batch: 2, heads: 4, keyValueHeads: 2, queries: 3, keys: 5, depth: 3, columns: 2 },
  { batch: 1, heads: 2, keyValueHeads: 1, queries: 67, keys: 131, depth: 9, columns: 7 },
];

for (const variant of variants) {
  test(`functions on weights and scores, there and back, against differences, ${variant}`, async () => {
    const attention = await engine(variant);
    const { used } = attention.memory;
    for (const [index, sizes] of modSizes.entries())
      for (const [number, form] of modForms.entries()) {
        const { batch, heads, keyValueHeads, queries, keys, depth, columns } = sizes;
        const seed = 100 * index + 10 * number + 1;
        const query = randomTensor([batch, heads, queries, depth], seed, 2);
        const key = randomTensor([batch, keyValueHeads, keys, depth], seed + 1, 2);
        const value = randomTensor([batch, keyValueHeads, keys, columns], seed + 2);
        const factor = randomArray(3, seed + 3);
        const shift = randomArray(5, seed + 4);
        const [of, to] = [(i: number) => factor[i % 3], (j: number) => shift[j % 5]];
        // w → w² + factor · w + shift, s → s · factor + shift.
        const weightMod = ({ weights, query: first, key: from, columns: wide }: WeightTile) => {
          for (let at = 0; at < weights.length; at++) {
            const [i, j] = [first + Math.floor(at / wide), from + (at % wide)];
            weights[at] = weights[at] ** 2 + of(i) * weights[at] + to(j);
          }
        };
        const weightModGradient = ({
          weights,
          gradients,
          query: first,
          columns: wide,
        }: WeightGradientTile) => {
          for (let at = 0; at < weights.length; at++)
            gradients[at] *= 2 * weights[at] + of(first + Math.floor(at / wide));
        };
        const scoreMod = ({ scores, query: first, key: from, columns: wide }: ScoreTile) => {
          for (let at = 0; at < scores.length; at++)
            scores[at] = scores[at] * of(first + Math.floor(at / wide)) + to(from + (at % wide));
        };
        const learnt = { factor: new Float64Array(3), shift: new Float64Array(5) };
        const scoreModGradient = ({
          scores,
          gradients,
          query: first,
          key: from,
          columns: wide,
        }: ScoreGradientTile) => {
          for (let at = 0; at < scores.length; at++) {
            const [i, j] = [first + Math.floor(at / wide), from + (at % wide)];
            learnt.factor[i % 3] += gradients[at] * scores[at];
            learnt.shift[j % 5] += gradients[at];
            gradients[at] *= of(i);
          }
        };
        const made = form.alpha === undefined ? undefined : alphaEntmax(form.alpha);
        const normalizer = form.weightMod
          ? modifiedWeights({ weightMod, weightModGradient, normalizer: made })
          : (made as Normalizer);
        const options = {
          ...{ causal: form.causal, softcap: form.softcap, normalizer },
          ...(form.scoreMod && { scoreMod }),
        };
        const got = attention.attend(query, key, value, { ...options, weights: true });
        const later = await attention.attendAsync(query, key, value, { ...options, weights: true });
        assert.deepEqual(bitsOf(later), bitsOf(got));
        const exact = (x: Tensor | Float32Array) => Float64Array.from("dims" in x ? x.data : x);
        const numbers = {
          query: exact(query),
          key: exact(key),
          value: exact(value),
          ...(form.scoreMod && !form.weightMod && { factor: exact(factor), shift: exact(shift) }),
        };
        const f = (i: number) => numbers.factor?.[i % 3] ?? of(i);
        const s = (j: number) => numbers.shift?.[j % 5] ?? to(j);
        const truth = () =>
          modifiedHeads(sizes, numbers, () => ({
            scale: 1 / Math.sqrt(depth),
            softcap: form.softcap ?? 0,
            alpha: form.alpha ?? 0,
            visible: (i, j) => !form.causal || j <= i,
            scoreMod: form.scoreMod ? (score, i, j) => score * f(i) + s(j) : undefined,
            weightMod: form.weightMod ? (w, i, j) => w ** 2 + of(i) * w + to(j) : undefined,
          }));
        const [output, weights] = truth();
        const what = JSON.stringify({ sizes, form });
        for (const [i, x] of output.entries())
          assert.ok(Math.abs(got.output.data[i] - x) < 1e-4, what);
        for (const [i, x] of weights.entries())
          assert.ok(Math.abs(got.weights.data[i] - x) < 2e-5, what);
        const outputGradient = randomTensor(got.output.dims, 11);
        const weightsGradient = randomTensor(got.weights.dims, 12);
        const pass = { query, key, value, outputGradient, weightsGradient };
        const back = attendBackward(attention, pass, {
          ...options,
          ...(form.scoreMod && { scoreModGradient }),
        });
        const loss = () => {
          const [o, w] = truth();
          return dot(o, outputGradient.data) + dot(w, weightsGradient.data);
        };
        const all: Record<string, ArrayLike<number>> = {
          query: back.queryGradient.data,
          key: back.keyGradient.data,
          value: back.valueGradient.data,
          ...(numbers.factor && learnt),
        };
        for (const [name, gradient] of Object.entries(all)) {
          const moved = numbers[name as "query"];
          for (const drawn of [5, 6, 7]) {
            const direction = randomArray(moved.length, drawn);
            const want = along(moved, direction, loss);
            const size = direction.reduce((sum, x, i) => sum + Math.abs(x * gradient[i]), 1);
            const error = Math.abs(dot(gradient, direction) - want) / size;
            assert.ok(error < 2e-5, `${name} of ${what}: ${dot(gradient, direction)} for ${want}`);
          }
        }
        assert.equal(attention.memory.used, used);
      }
  });

  test(`weights that a function changes stay 0 where nothing is seen, ${variant}`, async () => {
    const attention = await engine(variant);
    const x = randomTensor([1, 1, 70, 4], 1);
    const value = randomTensor([1, 1, 70, 3], 2);
    value.data.fill(Number.NaN, 69 * 3);
    const ones = modifiedWeights({ weightMod: ({ weights }) => void weights.fill(1) });
    const given = { causal: true, normalizer: ones, weights: true, queryLengths: [60] } as const;
    const { weights, output } = attention.attend(x, x, value, given);
    weights.data.forEach((w, at) => {
      const [i, j] = [Math.floor(at / 70), at % 70];
      assert.equal(w, i < 60 && j <= i ? 1 : 0);
    });
    assert.ok(output.data.every(Number.isFinite));
    const fail = modifiedWeights({
      weightMod: () => {
        throw new Error("of mine");
      },
    });
    const out = new Float32Array(70 * 3).fill(7);
    const { used } = attention.memory;
    assert.throws(() => attention.attend(x, x, value, { normalizer: fail, out }), /of mine/);
    assert.ok(out.every((y) => y === 7));
    assert.equal(attention.memory.used, used);
  });
}
