// factorize: a weight as the product of two of low rank, the nearest there are.

import { reader } from "../check/names";
import { ArgumentError, describe } from "../errors";
import { checkTensor, type Tensor } from "../tensor/tensor";
import { truncatedSvd } from "./svd";

/** Options of `factorize`. */
export interface FactorizeOptions {
  /** Of the random directions, an integer from 0; 0 by default. */
  seed?: number | undefined;
}

/** A matrix [rows, columns] as left · right. */
export interface Factors {
  /** [rows, rank] */
  readonly left: Tensor;
  /** [rank, columns] */
  readonly right: Tensor;
  /** The largest singular values, [rank], in falling order. */
  readonly singularValues: Float32Array;
  /** ‖matrix − left · right‖ / ‖matrix‖, of Frobenius's norm; 0 of a matrix of zeros. */
  readonly error: number;
}

const read = reader<FactorizeOptions>({ seed: 1 });

/**
 * left [rows, rank] · right [rank, columns] ≈ weight [rows, columns], by a randomised singular value
 * decomposition in float64, whose bits are the same on every engine; each factor has the square roots of the
 * singular values. rank · (rows + columns) numbers instead of rows · columns.
 *
 * With order "out,in" a product is x · rightᵀ · leftᵀ, right prepared as the first of `lowRankLinear`; with
 * "in,out" x · left · right.
 *
 * @throws ArgumentError for a weight that is no matrix or has NaN or infinity, a rank that is not from 1 to
 * the smaller of its sizes, or a seed that is no integer from 0.
 */
export function factorize(weight: Tensor, rank: number, options: FactorizeOptions = {}): Factors {
  const name = "factorize";
  const { seed = 0 } = read(name, options);
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new ArgumentError(name, "seed", "an integer from 0", describe(seed));
  }
  const { data, dims } = checkTensor(name, "weight", weight);
  const [rows = 0, columns = 0] = dims;
  if (dims.length !== 2 || rows < 1 || columns < 1) {
    const expected = "[rows, columns], each at least 1";
    throw new ArgumentError(name, "weight.dims", expected, describe(dims));
  }
  const most = Math.min(rows, columns);
  if (!Number.isInteger(rank) || rank < 1 || rank > most) {
    throw new ArgumentError(name, "rank", `an integer from 1 to ${most}`, describe(rank));
  }
  // A copy: others may write into a tensor of linear memory.
  const matrix = Float64Array.from(data);
  const wrong = matrix.find((value) => !Number.isFinite(value));
  if (wrong !== undefined) {
    throw new ArgumentError(name, "weight", "finite numbers", describe(wrong));
  }
  const { left, values, right } = truncatedSvd({ data: matrix, rows, columns }, rank, seed);
  const leftData = new Float32Array(rows * rank);
  const rightData = new Float32Array(rank * columns);
  for (let k = 0; k < rank; k++) {
    const root = Math.sqrt(values[k] as number);
    const [u, v] = [left[k] as Float64Array, right[k] as Float64Array];
    for (let i = 0; i < rows; i++) leftData[i * rank + k] = (u[i] as number) * root;
    for (let j = 0; j < columns; j++) rightData[k * columns + j] = (v[j] as number) * root;
  }
  const whole = matrix.reduce((sum, value) => sum + value * value, 0);
  const kept = values.reduce((sum, value) => sum + value * value, 0);
  return {
    left: { data: leftData, dims: [rows, rank] },
    right: { data: rightData, dims: [rank, columns] },
    singularValues: Float32Array.from(values),
    error: whole === 0 ? 0 : Math.sqrt(Math.max(whole - kept, 0) / whole),
  };
}
