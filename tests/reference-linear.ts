// The product of linear in float64, or with every step rounded.

import { exact, type Round } from "./reference";

/** y [rows, out] = x [rows, in] · W [in, out] + bias. */
export function linear(
  x: ArrayLike<number>,
  weight: ArrayLike<number>,
  bias: ArrayLike<number> | undefined,
  rows: number,
  inputs: number,
  outputs: number,
  round: Round = exact,
): Float64Array {
  const y = new Float64Array(rows * outputs);
  for (let i = 0; i < rows; i++) {
    const sums = y.subarray(i * outputs, (i + 1) * outputs);
    for (let j = 0; j < outputs; j++) sums[j] = bias?.[j] ?? 0;
    for (let k = 0; k < inputs; k++) {
      const factor = x[i * inputs + k];
      for (let j = 0; j < outputs; j++) {
        sums[j] = round(sums[j] + round(factor * weight[k * outputs + j]));
      }
    }
  }
  return y;
}
