// Gradients of α-entmax attention from its formula (Peters, Niculae and Martins 2019), where weights move too fast for
// differences: with s = p^(2 − α) of the keys that have a weight, dx = s·(g − Σ s·g / Σ s). From a score x back through
// q·k/√d, or through Σ w·tanh(q + b + k).

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

type Name = "query" | "key" | "value" | "weight" | "bias";
type Given = Name | "weights" | "output" | "weighed";

/** `of` is the problem, its weights and the gradients of its results, by name; `perHead` where it is additive. */
export function entmaxGradients(
  { batch, heads, keyValueHeads, queries, keys, depth, columns }: Sizes,
  of: Record<Given, ArrayLike<number>>,
  { alpha, perHead }: { readonly alpha: number; readonly perHead?: boolean | undefined },
  round: Round = (x) => x,
): Record<Name, number[]> {
  const zeros = (like: ArrayLike<number>) => new Array<number>(like.length).fill(0);
  const got = {
    ...{ query: zeros(of.query), key: zeros(of.key), value: zeros(of.value) },
    ...{ weight: zeros(of.weight), bias: zeros(of.bias) },
  };
  const add = (name: Name, at: number, term: number) => {
    got[name][at] = round(got[name][at] + round(term));
  };
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
            add("value", v, p * of.output[o]);
          }
          s[j] = round(p ** (2 - alpha));
          sum = round(sum + s[j]);
          all = round(all + round(s[j] * g[j]));
        }
        for (let j = 0; j < keys; j++) {
          if (!s[j]) continue;
          const dx = round(s[j] * round(g[j] - round(all / sum)));
          for (let d = 0; d < depth; d++) {
            const [q, k] = [row * depth + d, (read * keys + j) * depth + d];
            if (perHead === undefined) {
              add("query", q, round(dx * scale) * of.key[k]);
              add("key", k, round(dx * scale) * of.query[q]);
              continue;
            }
            const w = (perHead ? h * depth : 0) + d;
            const t = round(Math.tanh(round(round(of.query[q] + of.bias[w]) + of.key[k])));
            const slope = dx * round(of.weight[w] * round(1 - round(t * t)));
            add("query", q, slope);
            add("key", k, slope);
            add("bias", w, slope);
            add("weight", w, dx * t);
          }
        }
      }
    }
  return got;
}
