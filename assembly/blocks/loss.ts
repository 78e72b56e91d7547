// Cross-entropy of logits x [columns] with the class t, labels smoothed by ε (Szegedy et al. 2016):
//
//   loss = ln Σ e^(x − m) − (1 − ε)·(x_t − m) − ε·mean(x − m),  m = max x
//   dx_j = (e^(x_j − m) / Σ e^(x − m) − (1 − ε)·[j = t] − ε/columns) · dloss
//
// A row whose target is the ignored one has loss 0 and gradients 0. [rows × columns], end to end; a row is
// worked on in the thread's scratch, see softmax.ts. An item is some rows.

import { exponentiate, finiteBase, rowMaximum } from "../softmax/state";
import { LossFrame } from "./frame";
import { storeLanes } from "./lanes";
import { sumLanes } from "../simd/lanes";
import { logarithmOf } from "./logarithm";
import { itemRows, partsOf } from "./parts";
import { paddedColumns, padRow } from "./softmax";

export function lossItems(frame: LossFrame): i32 {
  return partsOf(frame.rows, itemRows(frame.columns));
}

export function lossRun(frame: LossFrame, item: i32, thread: i32): void {
  const size = itemRows(frame.columns);
  const end = min((item + 1) * size, frame.rows);
  for (let i = item * size; i < end; i++) lossOfRow(frame, i, thread);
}

function lossOfRow(frame: LossFrame, i: i32, thread: i32): void {
  const columns = frame.columns;
  const bytes = (<usize>columns) << 2;
  const source = frame.input + <usize>i * bytes;
  const gradient = frame.result ? frame.result + <usize>i * bytes : 0;
  const place = (<usize>i) << 2;
  const target = load<i32>(frame.targets + place);
  if (target == frame.ignored) {
    store<f32>(frame.losses + place, 0);
    if (gradient) memory.fill(gradient, 0, bytes);
    return;
  }
  const row = padRow(frame.scratch, thread, source, columns);
  const count = paddedColumns(columns);
  const m = finiteBase(rowMaximum(row, count));
  const l = exponentiate(row, count, m);
  const smoothing = frame.smoothing;
  const chosen = load<f32>(source + ((<usize>target) << 2)) - m;
  let loss = <f64>logarithmOf(l) - (1 - <f64>smoothing) * <f64>chosen;
  if (smoothing != 0) {
    loss -= (<f64>smoothing * <f64>differences(source, columns, m)) / <f64>columns;
  }
  store<f32>(frame.losses + place, <f32>loss);
  if (!gradient) return;
  let given = frame.lossGradient;
  if (frame.lossGradients) given *= load<f32>(frame.lossGradients + place);
  const factor = f32x4.splat(given);
  const divisor = f32x4.splat(l);
  const share = f32x4.splat(smoothing / <f32>columns);
  let at: usize = 0;
  for (let left = columns; left > 0; left -= 4) {
    const p = f32x4.sub(f32x4.div(v128.load(row + at), divisor), share);
    storeLanes(gradient + at, f32x4.mul(p, factor), left);
    at += 16;
  }
  const p = load<f32>(row + ((<usize>target) << 2)) / l - smoothing / <f32>columns;
  store<f32>(gradient + ((<usize>target) << 2), (p - (1 - smoothing)) * given);
}

/** Σ (x − m) */
function differences(at: usize, columns: i32, m: f32): f32 {
  const base = f32x4.splat(m);
  let sum = f32x4.splat(0);
  let left = columns;
  for (; left >= 4; left -= 4) {
    sum = f32x4.add(sum, f32x4.sub(v128.load(at), base));
    at += 16;
  }
  let rest: f32 = sumLanes(sum);
  for (; left > 0; left--) {
    rest += load<f32>(at) - m;
    at += 4;
  }
  return rest;
}
