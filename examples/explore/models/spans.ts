// How far the heads of a causal model look back: the least distance within which a head's weights lie, but for a
// twentieth of them.

import type { Tensor } from "wasm-attention";

const SHARE = 0.95;

/** Of weights [1, heads, rows, keys], rows and keys at the same places: keys before its own that a head needs. */
export function spansOf({ data, dims: [, heads, rows, keys] }: Tensor): number[] {
  return Array.from({ length: heads }, (_, head) => {
    const at = new Float64Array(rows);
    for (let row = 0; row < rows; row++)
      for (let key = 0; key <= row; key++) at[row - key] += data[(head * rows + row) * keys + key];
    let [span, sum] = [0, at[0]];
    while (sum < SHARE * rows && span < rows - 1) sum += at[++span];
    return span;
  });
}
