// Layer normalisation (Ba et al. 2016) and normalisation by the root mean square (Zhang & Sennrich 2019):
//
//   s = input + residual                              where there is one
//   layerNorm   y = (s − mean) / √(variance + ε) · weight + bias
//   rmsNorm     y = s / √(mean(s²) + ε) · weight + bias
//
// [rows × columns], end to end. The variance is the mean of (s − mean)², in a pass of its own: the
// difference of two large numbers would keep none of its digits. An item is some rows.

import { madd } from "../simd/lanes";
import { NormFrame } from "./frame";
import { loadLanes, squaresOf, storeLanes, sumOf, sumOfBoth } from "./lanes";
import { itemRows, partsOf } from "./parts";

/** Items of the forward pass, and of the backward pass those that go over rows. */
export function normRowItems(frame: NormFrame): i32 {
  return partsOf(frame.rows, itemRows(frame.columns));
}

export function normRun(frame: NormFrame, item: i32): void {
  const columns = frame.columns;
  const size = itemRows(columns);
  const bytes = (<usize>columns) << 2;
  const end = min((item + 1) * size, frame.rows);
  for (let i = item * size; i < end; i++) {
    const offset = <usize>i * bytes;
    let row = frame.input + offset;
    let mean: f32;
    if (frame.residual) {
      const sum = sumOfBoth(row, frame.residual + offset, frame.sum + offset, columns);
      row = frame.sum + offset;
      mean = frame.centred ? <f32>(<f64>sum / <f64>columns) : 0;
    } else mean = meanOf(frame, row);
    const inverse = inverseDeviation(frame, row, mean);
    if (frame.means) store<f32>(frame.means + ((<usize>i) << 2), mean);
    if (frame.inverseDeviations) store<f32>(frame.inverseDeviations + ((<usize>i) << 2), inverse);
    normalise(frame, row, frame.result + offset, mean, inverse);
  }
}

/** What is taken away from a row. */
export function meanOf(frame: NormFrame, row: usize): f32 {
  if (!frame.centred) return 0;
  return <f32>(<f64>sumOf(row, frame.columns) / <f64>frame.columns);
}

/** What a row is multiplied by then. */
export function inverseDeviation(frame: NormFrame, row: usize, mean: f32): f32 {
  const variance = <f64>squaresOf(row, frame.columns, mean) / <f64>frame.columns;
  return <f32>(1 / sqrt<f64>(variance + <f64>frame.epsilon));
}

function normalise(frame: NormFrame, row: usize, target: usize, mean: f32, inverse: f32): void {
  const base = f32x4.splat(mean);
  const factor = f32x4.splat(inverse);
  const weight = frame.weight;
  const bias = frame.bias;
  let at: usize = 0;
  let left = frame.columns;
  if (weight && bias) {
    for (; left >= 4; left -= 4) {
      const y = f32x4.mul(f32x4.sub(v128.load(row + at), base), factor);
      v128.store(target + at, madd(y, v128.load(weight + at), v128.load(bias + at)));
      at += 16;
    }
  }
  for (; left > 0; left -= 4) {
    let y = f32x4.mul(f32x4.sub(loadLanes(row + at, left), base), factor);
    if (weight) {
      const w = loadLanes(weight + at, left);
      y = bias ? madd(y, w, loadLanes(bias + at, left)) : f32x4.mul(y, w);
    } else if (bias) y = f32x4.add(y, loadLanes(bias + at, left));
    storeLanes(target + at, y, left);
    at += 16;
  }
}
