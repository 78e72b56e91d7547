// Drawn weights of the layers with additive scores, and their truth head by head.

import assert from "node:assert/strict";
import { tensor } from "wasm-attention";
import { randomTensor } from "../engines";
import { linear } from "../reference-linear";

export const [B, L, S, Eq, Ek, D, Dv] = [2, 3, 6, 5, 4, 7, 3];
export type Numbers = ArrayLike<number>;

export const near = (got: Numbers, want: Numbers, allowed: number, what = "") => {
  assert.equal(got.length, want.length, what);
  const largest = Array.from(want).reduce((most, x) => Math.max(most, Math.abs(x)), 1);
  for (let i = 0; i < want.length; i++)
    assert.ok(
      Math.abs(got[i] - want[i]) <= allowed * largest,
      `${what} ${i}: ${got[i]} for ${want[i]}`,
    );
};

/** What the layers are drawn of; float64 copies of it are moved for differences. */
export function draw(scaled: boolean, biased: boolean, seed = 1) {
  const tensors = {
    query: randomTensor([B, L, Eq], seed),
    key: randomTensor([B, S, Ek], seed + 1),
    value: randomTensor([B, S, Dv], seed + 2),
    queryWeight: randomTensor([Eq, D], seed + 3),
    keyWeight: randomTensor([D, Ek], seed + 4),
    keyBias: randomTensor([D], seed + 5),
    scoreWeight: randomTensor([D], seed + 6, 2),
    scoreBias: randomTensor([D], seed + 7),
    scoreScale: tensor(Float32Array.of(1.5), [1]),
  };
  const names = Object.keys(tensors) as (keyof typeof tensors)[];
  const numbers = Object.fromEntries(
    names.map((name) => [name, Float64Array.from(tensors[name].data)]),
  ) as Record<keyof typeof tensors, Float64Array>;
  const weights = {
    query: { weight: tensors.queryWeight, order: "in,out" },
    key: {
      weight: tensors.keyWeight,
      order: "out,in",
      ...(biased && { bias: tensors.keyBias }),
    },
    scoreWeight: tensors.scoreWeight,
    ...(biased && { scoreBias: tensors.scoreBias.data }),
    ...(scaled && { scoreScale: 1.5 }),
  } as const;
  const transposed = (x: Numbers, rows: number) => {
    const columns = x.length / rows;
    return Float64Array.from(x, (_, i) => x[(i % rows) * columns + Math.floor(i / rows)]);
  };
  const vector = () => {
    const norm = Math.sqrt(numbers.scoreWeight.reduce((sum, v) => sum + v * v, 0));
    return numbers.scoreWeight.map((v) => (scaled ? (numbers.scoreScale[0] * v) / norm : v));
  };
  /** Projected, and each batch by the formula. */
  const heads = (own: boolean, visible: (b: number, i: number, j: number) => boolean) => {
    const q = linear(numbers.query, numbers.queryWeight, undefined, B * L, Eq, D);
    const bias = biased ? numbers.keyBias : undefined;
    const k = linear(numbers.key, transposed(numbers.keyWeight, D), bias, B * S, Ek, D);
    const [values, columns] = own ? [numbers.value, Dv] : [numbers.key, Ek];
    return Array.from({ length: B }, (_, b) => ({
      ...{ queries: L, keys: S, depth: D, columns, scale: 1, alpha: 0 },
      query: q.slice(b * L * D, (b + 1) * L * D),
      key: k.slice(b * S * D, (b + 1) * S * D),
      value: values.slice(b * S * columns, (b + 1) * S * columns),
      weight: vector(),
      bias: biased ? numbers.scoreBias : undefined,
      visible: (i: number, j: number) => visible(b, i, j),
    }));
  };
  return { tensors, numbers, weights, heads };
}
