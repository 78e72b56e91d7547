// Gradients of α-entmax attention from its formula (Peters, Niculae and Martins 2019), where weights move too fast for
// differences: with s = p^(2 − α) of the keys that have a weight, dx = s·(g − Σ s·g / Σ s).

import type { Round } from "../reference-variants";

interface Sizes {
  readonly batch: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly queries: number;
  readonly keys: number;
  readonly depth: number;
  readonly columns: number;
}

/** `of` is the problem, its weights and the gradients of its results, by name. */
export function entmaxGradients(
  { batch, heads, keyValueHeads, queries, keys, depth, columns }: Sizes,
  of: Record<"query" | "key" | "value" | "weights" | "output" | "weighed", ArrayLike<number>>,
  alpha: number,
  round: Round = (x) => x,
): Record<"query" | "key" | "value", number[]> {
  const zeros = (like: ArrayLike<number>) => new Array<number>(like.length).fill(0);
  const got = { query: zeros(of.query), key: zeros(of.key), value: zeros(of.value) };
  const scale = round(1 / Math.sqrt(depth));
  for (let b = 0; b < batch; b++)
    for (let h = 0; h < heads; h++) {
      const read = b * keyValueHeads + Math.floor((h * keyValueHeads) / heads);
      for (let i = 0; i < queries; i++) {
        const row = (b * heads + h) * queries + i;
        const [g, s] = [new Float64Array(keys), new Float64Array(keys)];
        let [sum, all] = [0, 0];
        for (let j = 0; j < keys; j++) {
          const p = of.weights[row * keys + j];
          if (!(p > 0)) continue;
          g[j] = of.weighed[row * keys + j];
          for (let c = 0; c < columns; c++) {
            const [o, v] = [row * columns + c, (read * keys + j) * columns + c];
            g[j] = round(g[j] + round(of.output[o] * of.value[v]));
            got.value[v] = round(got.value[v] + round(p * of.output[o]));
          }
          s[j] = round(p ** (2 - alpha));
          sum = round(sum + s[j]);
          all = round(all + round(s[j] * g[j]));
        }
        for (let j = 0; j < keys; j++) {
          if (!s[j]) continue;
          const dx = round(round(s[j] * round(g[j] - round(all / sum))) * scale);
          for (let d = 0; d < depth; d++) {
            const [q, k] = [row * depth + d, (read * keys + j) * depth + d];
            got.query[q] = round(got.query[q] + round(dx * of.key[k]));
            got.key[k] = round(got.key[k] + round(dx * of.query[q]));
          }
        }
      }
    }
  return got;
}
