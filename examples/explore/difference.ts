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

/**
 * Of rows of the same words: where two texts were written of one input, those up to the first word that differs, and
 * undefined if there is none. What only one of them masks is drawn as not masked.
 */
export function differenceOf(a: AttentionMaps, b: AttentionMaps): AttentionMaps | undefined {
  const other = a.rows.findIndex((word, at) => word !== b.rows[at]);
  const rows = other < 0 ? a.rows : a.rows.slice(0, other);
  if (rows.length === 0) return undefined;
  const others = listed(b.weights);
  const weights = listed(a.weights).map((own, layer) => between(own, others[layer], rows.length));
  const { columns, causal } = a;
  return { weights, rows, ...(columns && { columns }), ...(causal && b.causal && { causal }) };
}

/** Of the first rows of [heads, rows, keys]. */
function between(a: Tensor, b: Tensor, rows: number): Tensor {
  const [heads, , keys] = a.dims.slice(-3);
  const data = new Float32Array(heads * rows * keys);
  for (let head = 0; head < heads; head++) {
    const [from, other] = [a, b].map(({ dims }) => head * (dims.at(-2) as number) * keys);
    for (let i = 0; i < rows * keys; i++)
      data[head * rows * keys + i] = Math.abs(a.data[from + i] - b.data[other + i]);
  }
  return { data, dims: [heads, rows, keys] };
}
