// How much the weights of two settings differ, as maps: |a − b|.

import type { Tensor } from "wasm-attention";
import type { AttentionMaps } from "wasm-attention/view";

const listed = (weights: AttentionMaps["weights"]) =>
  Array.isArray(weights) ? (weights as readonly Tensor[]) : [weights as Tensor];

/** The largest weight of all maps. */
export function largestOf({ weights }: AttentionMaps): number {
  let most = 0;
  for (const { data } of listed(weights)) for (const weight of data) most = Math.max(most, weight);
  return most;
}

/** Of the same pieces; what only one of them masks is drawn as not masked. */
export function differenceOf(a: AttentionMaps, b: AttentionMaps): AttentionMaps {
  const others = listed(b.weights);
  const weights = listed(a.weights).map(({ data, dims }, layer) => ({
    data: data.map((weight, at) => Math.abs(weight - others[layer].data[at])),
    dims,
  }));
  const { rows, columns, causal } = a;
  return { weights, rows, ...(columns && { columns }), ...(causal && b.causal && { causal }) };
}
