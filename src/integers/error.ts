// How far a precision is from float32, on some of the rows.

import { type Attention, checkAttention } from "../attend/attention";
import { callAttend, checkAttend } from "../attend/forward";
import { type AttendOptions, readAttend } from "../attend/options";
import { ArgumentError, describe } from "../errors";
import type { Engine } from "../instance/instance";
import type { Steps } from "../run/steps";
import { checkTensor, type Tensor } from "../tensor/tensor";

/** What `precisionError` found. */
export interface PrecisionError {
  /** √(Σ (a − b)² / Σ b²), b in float32. */
  readonly relative: number;
  /** The same of the worst row. */
  readonly worstRow: number;
  /** The cosine of both. */
  readonly cosine: number;
}

/**
 * The error of `attend` with `options.precision` against float32 for these inputs: both are computed. To
 * ask cheaply, hand over some of the queries with their `queryOffset`.
 *
 * @throws ArgumentError, MemoryError, DisposedError as `attend`.
 */
export function precisionError(
  attention: Attention<"integers">,
  query: Tensor,
  key: Tensor,
  value: Tensor,
  options: AttendOptions,
): PrecisionError {
  const name = "precisionError";
  return checkAttention(name, attention).run(name, (engine) => {
    const {
      weights: _,
      scores: __,
      logSumExp: ___,
      out: ____,
      ...read
    } = readAttend(name, options);
    if (read.precision === undefined) {
      const expected = "a precision, such as `int16` of wasm-attention/integers";
      throw new ArgumentError(name, "precision", expected, describe(undefined));
    }
    const [q, k, v] = [
      checkTensor(name, "query", query),
      checkTensor(name, "key", key),
      checkTensor(name, "value", value),
    ];
    return steps(engine, name, [q, k, v], read);
  });
}

function* steps(
  engine: Engine,
  name: string,
  [q, k, v]: readonly [Tensor, Tensor, Tensor],
  options: AttendOptions,
): Steps<PrecisionError> {
  const of = (given: AttendOptions) => callAttend(engine, checkAttend(name, q, k, v, given));
  const { output: got } = yield* of(options);
  const { output: want } = yield* of({ ...options, precision: undefined });
  return compared(got.data, want.data, want.dims.at(-1) ?? 1);
}

function compared(got: Float32Array, want: Float32Array, columns: number): PrecisionError {
  let [error, squares, other, product, worst] = [0, 0, 0, 0, 0];
  for (let row = 0; row < want.length; row += columns) {
    let [difference, norm] = [0, 0];
    for (let i = row; i < row + columns; i++) {
      const [a, b] = [got[i] as number, want[i] as number];
      difference += (a - b) ** 2;
      norm += b * b;
      other += a * a;
      product += a * b;
    }
    error += difference;
    squares += norm;
    if (difference) worst = Math.max(worst, Math.sqrt(difference / norm));
  }
  return {
    relative: error ? Math.sqrt(error / squares) : 0,
    worstRow: worst,
    cosine: squares || other ? product / Math.sqrt(squares * other) : 1,
  };
}
