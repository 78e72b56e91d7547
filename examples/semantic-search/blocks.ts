// What a transformer block needs besides attention and projections, on rows of `size` numbers.

import type { Tensor } from "wasm-attention";

export interface Norm {
  readonly scale: Float32Array;
  readonly bias: Float32Array;
}

/** (x − mean) / √(variance + epsilon) · scale + bias over the last axis (Ba et al. 2016). */
export function layerNorm({ data, dims }: Tensor, { scale, bias }: Norm, epsilon = 1e-6): Tensor {
  const size = scale.length;
  const result = new Float32Array(data.length);
  for (let row = 0; row < data.length; row += size) {
    let mean = 0;
    for (let i = 0; i < size; i++) mean += data[row + i];
    mean /= size;
    let variance = 0;
    for (let i = 0; i < size; i++) variance += (data[row + i] - mean) ** 2;
    const factor = 1 / Math.sqrt(variance / size + epsilon);
    for (let i = 0; i < size; i++) {
      result[row + i] = (data[row + i] - mean) * factor * scale[i] + bias[i];
    }
  }
  return { data: result, dims };
}

/** max(x, 0), in place. */
export function relu(x: Tensor): Tensor {
  for (let i = 0; i < x.data.length; i++) if (x.data[i] < 0) x.data[i] = 0;
  return x;
}

/** x + y, in x. */
export function add(x: Tensor, y: Tensor): Tensor {
  for (let i = 0; i < x.data.length; i++) x.data[i] += y.data[i];
  return x;
}
