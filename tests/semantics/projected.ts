// A layer's projections as plain sums.

import { type Tensor, tensor } from "wasm-attention";
import { B, H } from "./formula";

/** x·Wᵀ + b of rows of `width` numbers. */
export function linear(
  x: ArrayLike<number>,
  width: number,
  weight: ArrayLike<number>,
  bias: ArrayLike<number>,
) {
  const out = weight.length / width;
  return Array.from({ length: (x.length / width) * out }, (_, at) => {
    const [row, o] = [Math.floor(at / out), at % out];
    let sum = bias.length ? bias[o] : 0;
    for (let e = 0; e < width; e++) sum += x[row * width + e] * weight[o * width + e];
    return sum;
  });
}

/** [B, T, H·D] → [B, H, T, D], with rows that every batch has appended. */
export function heads(
  x: readonly number[],
  length: number,
  appended: readonly number[][] = [],
): Tensor {
  const all = length + appended.length;
  const size = x.length / B / length / H;
  const data = Array.from({ length: B * H * all * size }, (_, at) => {
    const [b, h, t, d] = [
      Math.floor(at / (H * all * size)),
      Math.floor(at / (all * size)) % H,
      Math.floor(at / size) % all,
      at % size,
    ];
    return t < length
      ? x[((b * length + t) * H + h) * size + d]
      : appended[t - length][h * size + d];
  });
  return tensor(Float32Array.from(data), [B, H, all, size]);
}
