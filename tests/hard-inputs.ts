// Inputs that are hard for few bits, and attend in float64 to compare with.

import { type Tensor, tensor } from "wasm-attention";
import { randomTensor } from "./engines";

/** Rows [L, D], [S, D] and [S, Dv], of one head. */
export type Three = readonly [query: Tensor, key: Tensor, value: Tensor];

/** softmax(q·kᵀ/√D)·v in float64. */
export function exact([q, k, v]: Three): Float64Array {
  const [rows = 0, size = 0] = q.dims;
  const [keys = 0, columns = 0] = v.dims;
  const output = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    const scores = Float64Array.from({ length: keys }, (_, j) => {
      let sum = 0;
      for (let d = 0; d < size; d++) {
        sum += (q.data[i * size + d] as number) * (k.data[j * size + d] as number);
      }
      return sum / Math.sqrt(size);
    });
    const most = scores.reduce((a, b) => Math.max(a, b));
    const weights = scores.map((score) => Math.exp(score - most));
    const sum = weights.reduce((a, b) => a + b);
    for (const [j, weight] of weights.entries()) {
      for (let c = 0; c < columns; c++) {
        const at = i * columns + c;
        output[at] = (output[at] as number) + (weight / sum) * (v.data[j * columns + c] as number);
      }
    }
  }
  return output;
}

export function rootOf(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += (values[i] as number) ** 2;
  return Math.sqrt(sum);
}

export const relative = (got: ArrayLike<number>, want: ArrayLike<number>) =>
  rootOf(Array.from(want, (value, i) => (got[i] as number) - value)) / rootOf(want);

/** By name, each of one head. */
export function hardInputs(): Record<string, Three> {
  const times = (x: Tensor, factor: (row: number, column: number) => number, plus = 0) => {
    const columns = x.dims[1] as number;
    const of = (value: number, n: number) =>
      value * factor(Math.floor(n / columns), n % columns) + plus * +(n % columns < 3);
    return tensor(x.data.map(of), x.dims);
  };
  const [q, k, v] = [
    randomTensor([40, 64], 1, 1.7),
    randomTensor([1024, 64], 2, 1.7),
    randomTensor([1024, 64], 3, 1.7),
  ] as const;
  // A key that takes nearly all of the weight, and whose value is next to nothing.
  const direction = times(randomTensor([1, 64], 4), () => 1).data;
  const sinkKeys = randomTensor([8192, 64], 5, 1.7);
  const sinkValues = randomTensor([8192, 64], 6, 1.7);
  sinkKeys.data.set(direction.map((x) => x * 30));
  sinkValues.data.set(sinkValues.data.subarray(0, 64).map((x) => x * 1e-3));
  const sinkQueries = times(q, () => 0.1);
  for (let n = 0; n < sinkQueries.data.length; n++) {
    sinkQueries.data[n] = (sinkQueries.data[n] as number) + (direction[n % 64] as number) * 5;
  }
  const three = (column: number) => (column < 3 ? 20 : 1);
  return {
    normal: [q, k, v],
    peaked: [times(q, () => 8), k, v],
    "keys + 20 in 3 channels": [q, times(k, () => 1, 20), v],
    "keys × 20 in 3 channels": [q, times(k, (_, c) => three(c)), v],
    "and queries ÷ 20 there": [times(q, (_, c) => 1 / three(c)), times(k, (_, c) => three(c)), v],
    "values × 20 in a channel and two rows": [
      q,
      k,
      times(v, (row, c) => (c === 5 || row < 2 ? 20 : 1)),
    ],
    sink: [sinkQueries, sinkKeys, sinkValues],
    "tiny values": [q, k, times(v, () => 1e-30)],
    "large ones": [times(q, () => 1e-20), times(k, () => 1e20), times(v, () => 1e25)],
  };
}
