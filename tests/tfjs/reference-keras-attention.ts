// Keras's Attention and AdditiveAttention in float64, written from their formulas.

import type { Sequence } from "./reference";

export interface KerasAttention {
  readonly inputs: readonly [query: Sequence, value: Sequence, key: Sequence];
  /** "additive": `scale` has an element for each feature; else one. */
  readonly mode: "dot" | "concat" | "additive";
  readonly scale?: Float64Array | undefined;
  readonly concatScoreWeight?: Float64Array | undefined;
  readonly causal: boolean;
  /** [B, L] and [B, S], what is 0 is left out. */
  readonly queryMask?: ArrayLike<number> | undefined;
  readonly valueMask?: ArrayLike<number> | undefined;
}

/** → output [B, L, Dv] and weights [B, L, S]; a query that sees no key gets 0. */
export function kerasAttention(of: KerasAttention): { output: Sequence; weights: Sequence } {
  const [query, value, key] = of.inputs;
  const [batch, queries, size] = query.dims;
  const [, keys, columns] = value.dims;
  const output = new Float64Array(batch * queries * columns);
  const weights = new Float64Array(batch * queries * keys);
  const score = (b: number, i: number, j: number) => {
    let sum = 0;
    for (let d = 0; d < size; d++) {
      const q = query.data[(b * queries + i) * size + d];
      const k = key.data[(b * keys + j) * size + d];
      const scale = of.scale ? of.scale[of.mode === "additive" ? d : 0] : 1;
      if (of.mode === "dot") sum += scale * q * k;
      else if (of.mode === "concat") sum += Math.tanh(scale * (q + k));
      else sum += scale * Math.tanh(q + k);
    }
    return sum * (of.concatScoreWeight?.[0] ?? 1);
  };
  for (let b = 0; b < batch; b++)
    for (let i = 0; i < queries; i++) {
      const scores = Array.from({ length: keys }, (_, j) => {
        const seen = (!of.causal || j <= i) && (of.valueMask?.[b * keys + j] ?? 1) !== 0;
        return seen ? score(b, i, j) : -Infinity;
      });
      const most = Math.max(...scores);
      if (most === -Infinity) continue;
      const exponentials = scores.map((s) => Math.exp(s - most));
      const total = exponentials.reduce((a, c) => a + c);
      const shown = (of.queryMask?.[b * queries + i] ?? 1) !== 0 ? 1 : 0;
      for (let j = 0; j < keys; j++) {
        const weight = exponentials[j] / total;
        weights[(b * queries + i) * keys + j] = weight;
        for (let c = 0; c < columns; c++)
          output[(b * queries + i) * columns + c] +=
            shown * weight * value.data[(b * keys + j) * columns + c];
      }
    }
  return {
    output: { data: output, dims: [batch, queries, columns] },
    weights: { data: weights, dims: [batch, queries, keys] },
  };
}
