// What a layer's projections do, and their gradients, in float64.

import type { Tensor } from "wasm-attention";
import type { Round } from "./reference";
import { linear } from "./reference-linear";

export type Numbers = ArrayLike<number>;

/** [B, rows, H·size] → [B, H, rows, size], or with rows and h exchanged the way back. */
export function splitHeads(data: Numbers, batch: number, rows: number, h: number): Float32Array {
  const size = data.length / (batch * rows * h);
  const result = new Float64Array(data.length);
  for (let b = 0; b < batch; b++)
    for (let i = 0; i < rows; i++)
      for (let head = 0; head < h; head++)
        for (let d = 0; d < size; d++)
          result[((b * h + head) * rows + i) * size + d] =
            data[((b * rows + i) * h + head) * size + d];
  // As the reference is typed; it keeps all digits.
  return result as unknown as Float32Array;
}

const turned = (data: Numbers, rows: number) => {
  const columns = data.length / rows;
  return Float64Array.from(data, (_, k) => data[(k % rows) * columns + Math.floor(k / rows)]);
};

/** Gradients of input, weight and bias of x · W + b. */
export function linearGradients(dy: Numbers, x: Numbers, weight: Tensor, round?: Round) {
  const [ins, outs] = weight.dims;
  const rows = dy.length / outs;
  const ones = new Float32Array(rows).fill(1);
  return {
    input: linear(dy, turned(weight.data, ins), undefined, rows, outs, ins, round),
    weight: linear(turned(x, rows), dy, undefined, ins, rows, outs, round),
    bias: linear(ones, dy, undefined, 1, rows, outs, round),
  };
}
