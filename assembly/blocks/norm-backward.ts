// Gradients of norm.ts. With x̂ the normalised row, r what it was multiplied by and g = dy · weight:
//
//   dx = r · (g − mean(g) − x̂ · mean(g · x̂)) + what else reaches the sum       mean(g) only if centred
//   dweight = Σ dy · x̂,  dbias = Σ dy, over the rows
//
// Mean and deviation are found anew: the row is read anyway. The first items are rows, each with sums
// of its own in the scratch [items][2][columns]; those after add them up, a part of the columns each.

import { madd, sumLanes } from "../simd/lanes";
import { NormFrame } from "./frame";
import { firstLanes, loadLanes, storeLanes } from "./lanes";
import { inverseDeviation, meanOf, normRowItems } from "./norm";
import { itemRows, partsOf } from "./parts";

/** Columns whose sums an item adds up. */
const SUM_COLUMNS: i32 = 256;

export function normBackwardScratchBytes(frame: NormFrame): f64 {
  return frame.summed ? <f64>normRowItems(frame) * <f64>frame.columns * 8 : 0;
}

export function normBackwardItems(frame: NormFrame): i32 {
  return normRowItems(frame) + (frame.summed ? partsOf(frame.columns, SUM_COLUMNS) : 0);
}

export function normBackwardReady(frame: NormFrame, item: i32): i32 {
  const rows = normRowItems(frame);
  return item < rows ? 0 : rows;
}

export function normBackwardRun(frame: NormFrame, item: i32): void {
  const rows = normRowItems(frame);
  if (item < rows) backwardRows(frame, item);
  else addSums(frame, (item - rows) * SUM_COLUMNS);
}

function backwardRows(frame: NormFrame, item: i32): void {
  const columns = frame.columns;
  const bytes = (<usize>columns) << 2;
  const sums = frame.summed ? frame.scratch + <usize>item * (bytes << 1) : 0;
  if (sums) memory.fill(sums, 0, bytes << 1);
  const first = item * itemRows(columns);
  const end = min(first + itemRows(columns), frame.rows);
  for (let i = first; i < end; i++) {
    const offset = <usize>i * bytes;
    const row = frame.input + offset;
    const mean = meanOf(frame, row);
    const inverse = inverseDeviation(frame, row, mean);
    backwardRow(frame, offset, sums, mean, inverse);
  }
}

function backwardRow(frame: NormFrame, offset: usize, sums: usize, mean: f32, inverse: f32): void {
  const columns = frame.columns;
  const bytes = (<usize>columns) << 2;
  const x = frame.input + offset;
  const dy = frame.outputGradient + offset;
  const weight = frame.weight;
  const base = f32x4.splat(mean);
  const factor = f32x4.splat(inverse);
  let plain = f32x4.splat(0);
  let along = f32x4.splat(0);
  let at: usize = 0;
  let left = columns;
  if (sums) {
    for (; left >= 4; left -= 4) {
      const given = v128.load(dy + at);
      const normal = f32x4.mul(f32x4.sub(v128.load(x + at), base), factor);
      const g = weight ? f32x4.mul(given, v128.load(weight + at)) : given;
      plain = f32x4.add(plain, g);
      along = madd(g, normal, along);
      const w = sums + at;
      v128.store(w, madd(given, normal, v128.load(w)));
      v128.store(w + bytes, f32x4.add(given, v128.load(w + bytes)));
      at += 16;
    }
  }
  for (; left > 0; left -= 4) {
    const given = loadLanes(dy + at, left);
    const normal = normalLanes(x + at, left, base, factor);
    const g = weight ? f32x4.mul(given, loadLanes(weight + at, left)) : given;
    plain = f32x4.add(plain, g);
    along = madd(g, normal, along);
    if (sums) {
      const w = sums + at;
      storeLanes(w, madd(given, normal, loadLanes(w, left)), left);
      storeLanes(w + bytes, f32x4.add(given, loadLanes(w + bytes, left)), left);
    }
    at += 16;
  }
  const middle = f32x4.splat(frame.centred ? sumLanes(plain) / <f32>columns : 0);
  const slope = f32x4.splat(sumLanes(along) / <f32>columns);
  const target = frame.result + offset;
  const added = frame.sumGradient;
  at = 0;
  left = columns;
  if (weight) {
    for (; left >= 4; left -= 4) {
      const normal = f32x4.mul(f32x4.sub(v128.load(x + at), base), factor);
      const g = f32x4.mul(v128.load(dy + at), v128.load(weight + at));
      let d = f32x4.sub(f32x4.sub(g, middle), f32x4.mul(normal, slope));
      d = f32x4.mul(d, factor);
      if (added) d = f32x4.add(d, v128.load(added + offset + at));
      v128.store(target + at, d);
      at += 16;
    }
  }
  for (; left > 0; left -= 4) {
    const given = loadLanes(dy + at, left);
    const normal = normalLanes(x + at, left, base, factor);
    const g = weight ? f32x4.mul(given, loadLanes(weight + at, left)) : given;
    let d = f32x4.sub(f32x4.sub(g, middle), f32x4.mul(normal, slope));
    d = f32x4.mul(d, factor);
    if (added) d = f32x4.add(d, loadLanes(added + offset + at, left));
    storeLanes(target + at, d, left);
    at += 16;
  }
}

/** x̂, 0 past the row's end. */
// @ts-ignore: decorator
@inline
function normalLanes(x: usize, left: i32, base: v128, factor: v128): v128 {
  return firstLanes(f32x4.mul(f32x4.sub(loadLanes(x, left), base), factor), left);
}

/** The gradients of weight and bias from column `first` on. */
function addSums(frame: NormFrame, first: i32): void {
  addUp(frame, first, frame.scratch, frame.weightGradient);
  addUp(frame, first, frame.scratch + ((<usize>frame.columns) << 2), frame.biasGradient);
}

/** Item after item; nothing where the gradient is not wanted. */
function addUp(frame: NormFrame, first: i32, sums: usize, gradient: usize): void {
  if (!gradient) return;
  const stride = (<usize>frame.columns) << 3;
  const count = normRowItems(frame);
  let at = (<usize>first) << 2;
  for (let left = min(SUM_COLUMNS, frame.columns - first); left > 0; left -= 4) {
    let sum = f32x4.splat(0);
    let row = sums + at;
    for (let i = 0; i < count; i++) {
      sum = f32x4.add(sum, loadLanes(row, left));
      row += stride;
    }
    storeLanes(gradient + at, sum, left);
    at += 16;
  }
}
