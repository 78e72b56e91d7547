// Softmax and its logarithm over the middle axis of [rows, columns, inner], end to end:
//
//   y = e^(x − m) / l,  m = max x,  l = Σ e^(x − m)         log y = (x − m) − ln l
//
// Where all x are −∞, y is 0 and log y −∞, as a row of attend that sees no key. With inner = 1 a row lies
// in one piece, and is worked on in the thread's scratch, padded by −∞ to a multiple of 8; else four
// columns go side by side, each summed in order. An item is some rows.

import { exp } from "../simd/exp";
import { larger, sumLanes } from "../simd/lanes";
import { exponentiate, finiteBase, rowMaximum } from "../softmax/state";
import { SoftmaxFrame } from "./frame";
import { loadLanes, storeLanes } from "./lanes";
import { logarithmOf } from "./logarithm";
import { itemRows, partsOf } from "./parts";

/** Floats of a row in the scratch. */
// @ts-ignore: decorator
@inline
export function paddedColumns(columns: i32): i32 {
  return (columns + 7) & ~7;
}

export function rowScratchBytes(threads: i32, columns: i32): f64 {
  return <f64>threads * (<f64>columns + 7) * 4;
}

/** Copies a row into its place in the scratch; gives that. */
export function padRow(scratch: usize, thread: i32, source: usize, columns: i32): usize {
  const count = paddedColumns(columns);
  const row = scratch + <usize>thread * ((<usize>count) << 2);
  const bytes = (<usize>columns) << 2;
  memory.copy(row, source, bytes);
  for (let j = columns; j < count; j++) store<f32>(row + ((<usize>j) << 2), -(<f32>Infinity));
  return row;
}

/** Groups of four columns side by side. */
// @ts-ignore: decorator
@inline
function groups(frame: SoftmaxFrame): i32 {
  return partsOf(frame.inner, 4);
}

/** Rows or, side by side, groups of columns that make an item. */
// @ts-ignore: decorator
@inline
function itemSize(frame: SoftmaxFrame): i32 {
  return frame.inner == 1 ? itemRows(frame.columns) : max(itemRows(frame.columns) >> 2, 1);
}

// @ts-ignore: decorator
@inline
function wholeSize(frame: SoftmaxFrame): i32 {
  return frame.inner == 1 ? frame.rows : frame.rows * groups(frame);
}

export function softmaxItems(frame: SoftmaxFrame): i32 {
  return partsOf(wholeSize(frame), itemSize(frame));
}

export function softmaxRun(frame: SoftmaxFrame, item: i32, thread: i32, backward: bool): void {
  const size = itemSize(frame);
  const end = min((item + 1) * size, wholeSize(frame));
  for (let i = item * size; i < end; i++) {
    if (frame.inner != 1) {
      if (backward) columnsBackward(frame, i);
      else columnsForward(frame, i);
      continue;
    }
    const offset = <usize>i * ((<usize>frame.columns) << 2);
    if (backward) rowBackward(frame, offset);
    else rowForward(frame, offset, thread);
  }
}

function rowForward(frame: SoftmaxFrame, offset: usize, thread: i32): void {
  const columns = frame.columns;
  const source = frame.input + offset;
  const row = padRow(frame.scratch, thread, source, columns);
  const count = paddedColumns(columns);
  const base = finiteBase(rowMaximum(row, count));
  const l = exponentiate(row, count, base);
  const target = frame.result + offset;
  const m = f32x4.splat(base);
  const divisor = f32x4.splat(l == 0 ? 1 : l);
  const logarithm = f32x4.splat(logarithmOf(l == 0 ? 1 : l));
  let at: usize = 0;
  for (let left = columns; left > 0; left -= 4) {
    const y = frame.logarithmic
      ? f32x4.sub(f32x4.sub(loadLanes(source + at, left), m), logarithm)
      : f32x4.div(v128.load(row + at), divisor);
    storeLanes(target + at, y, left);
    at += 16;
  }
}

/** Group i: four columns of inner, down the middle axis. */
function columnsForward(frame: SoftmaxFrame, i: i32): void {
  const left = frame.inner - (i % groups(frame)) * 4;
  const offset = groupOffset(frame, i);
  const stride = (<usize>frame.inner) << 2;
  const source = frame.input + offset;
  const target = frame.result + offset;
  const bytes = <usize>frame.columns * stride;
  let m = f32x4.splat(-(<f32>Infinity));
  for (let at: usize = 0; at < bytes; at += stride) m = larger(m, loadLanes(source + at, left));
  m = v128.andnot(m, f32x4.eq(m, f32x4.splat(-(<f32>Infinity))));
  let l = f32x4.splat(0);
  for (let at: usize = 0; at < bytes; at += stride) {
    const difference = f32x4.sub(loadLanes(source + at, left), m);
    const e = exp(difference);
    l = f32x4.add(l, e);
    storeLanes(target + at, frame.logarithmic ? difference : e, left);
  }
  const one = f32x4.splat(1);
  l = v128.bitselect(one, l, f32x4.eq(l, f32x4.splat(0)));
  if (frame.logarithmic) {
    l = f32x4(
      logarithmOf(f32x4.extract_lane(l, 0)),
      logarithmOf(f32x4.extract_lane(l, 1)),
      logarithmOf(f32x4.extract_lane(l, 2)),
      logarithmOf(f32x4.extract_lane(l, 3)),
    );
  }
  for (let at: usize = 0; at < bytes; at += stride) {
    const y = loadLanes(target + at, left);
    storeLanes(target + at, frame.logarithmic ? f32x4.sub(y, l) : f32x4.div(y, l), left);
  }
}

// @ts-ignore: decorator
@inline
function groupOffset(frame: SoftmaxFrame, i: i32): usize {
  const row = <usize>(i / groups(frame)) * <usize>frame.columns * <usize>frame.inner;
  return (row + <usize>(i % groups(frame)) * 4) << 2;
}

/** softmax: dx = y · (dy − Σ dy·y), its logarithm: dx = dy − e^y · Σ dy, of the result y in frame.input. */
function rowBackward(frame: SoftmaxFrame, offset: usize): void {
  columnsOf(frame, offset, 16, frame.columns, true);
}

function columnsBackward(frame: SoftmaxFrame, i: i32): void {
  const left = frame.inner - (i % groups(frame)) * 4;
  columnsOf(frame, groupOffset(frame, i), (<usize>frame.inner) << 2, left, false);
}

/** `along`: the four lanes are of one row, of which `left` are left; else of four columns. */
// @ts-ignore: decorator
@inline
function columnsOf(
  frame: SoftmaxFrame,
  offset: usize,
  stride: usize,
  left: i32,
  along: bool,
): void {
  const y = frame.input + offset;
  const dy = frame.outputGradient + offset;
  const target = frame.result + offset;
  const steps = along ? partsOf(frame.columns, 4) : frame.columns;
  let sum = f32x4.splat(0);
  let at: usize = 0;
  let rest = left;
  for (let k = 0; k < steps; k++) {
    const given = loadLanes(dy + at, rest);
    const value = loadLanes(y + at, rest);
    sum = f32x4.add(sum, frame.logarithmic ? given : f32x4.mul(given, value));
    at += stride;
    if (along) rest -= 4;
  }
  if (along) sum = f32x4.splat(sumLanes(sum));
  at = 0;
  rest = left;
  for (let k = 0; k < steps; k++) {
    const given = loadLanes(dy + at, rest);
    const value = loadLanes(y + at, rest);
    const d = frame.logarithmic
      ? f32x4.sub(given, f32x4.mul(exp(value), sum))
      : f32x4.mul(value, f32x4.sub(given, sum));
    storeLanes(target + at, d, rest);
    at += stride;
    if (along) rest -= 4;
  }
}
