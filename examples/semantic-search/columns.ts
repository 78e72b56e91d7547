// Projections of one input as one product: their weights side by side, the result taken apart.

import { type Tensor, tensor } from "wasm-attention";

/** [out, in] matrices, or [out] vectors, one after the other. */
export function sideBySide(weights: readonly Tensor[]): Tensor {
  if (weights.length === 1) return weights[0];
  const all = new Float32Array(weights.reduce((sum, { data }) => sum + data.length, 0));
  let at = 0;
  for (const { data } of weights) {
    all.set(data, at);
    at += data.length;
  }
  const inner = weights[0].dims.slice(1);
  return tensor(all, [weights.reduce((sum, { dims }) => sum + dims[0], 0), ...inner]);
}

/** [..., a + b + …] → [..., a], [..., b], …; of one row views, not copies. */
export function parted({ data, dims }: Tensor, sizes: readonly number[]): readonly Tensor[] {
  const columns = dims[dims.length - 1];
  const rows = data.length / columns;
  let from = 0;
  return sizes.map((size) => {
    const start = from;
    from += size;
    const shape = [...dims.slice(0, -1), size];
    if (rows === 1) return tensor(data.subarray(start, from), shape);
    const part = new Float32Array(rows * size);
    for (let row = 0; row < rows; row++) {
      const at = row * columns + start;
      part.set(data.subarray(at, at + size), row * size);
    }
    return tensor(part, shape);
  });
}
