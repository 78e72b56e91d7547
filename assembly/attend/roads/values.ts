// The values of one query's tile where they lie: output [⌈Dv⌉₈] += w · V, 32, eight, four or one columns at
// a time, in the order of the tile's products, so the bits are the same.

import { Product } from "../../gemm/products";
import { madd } from "../../simd/lanes";
import { AttendFrame } from "../frame";
import { Rows, rowsBytes } from "../rows";
import { productOf, scoresOf, scratchTileBytes, spareOf } from "../scratch";

/**
 * Of the rows from `rows` to `end` that see their tile, `turn` values of each in turns. A row's scratch
 * holds its weights where its scores were, and a copy of those.
 */
export function addValues(
  frame: AttendFrame,
  rows: usize,
  end: usize,
  scratch: usize,
  turn: i32,
): void {
  const step = <usize>rowsBytes(frame);
  const tile = scratchTileBytes(frame);
  const wide = ((<usize>frame.valueSize) & ~31) << 2;
  const eights = ((<usize>frame.valueSize) & ~7) << 2;
  const stride = frame.valueRow << 2;
  const columns = changetype<Rows>(rows).columns;
  for (let i = 0; i < columns; i += turn) {
    let weights = scoresOf(scratch) + ((<usize>i) << 2);
    const bytes = (<usize>min(turn, columns - i)) << 2;
    for (let at = rows; at < end; at += step) {
      const r = changetype<Rows>(at);
      if (r.keys) {
        const values = r.values + <usize>i * stride;
        const sums = sumsOf(r);
        for (let at: usize = 0; at < wide; at += 128) {
          addColumns(weights, weights + bytes, values + at, stride, sums + at, i > 0);
        }
        for (let at = wide; at < eights; at += 32) {
          addEight(weights, weights + bytes, values + at, stride, sums + at, i > 0);
        }
      }
      weights += tile;
    }
  }
  for (let at = rows; at < end; at += step) {
    const r = changetype<Rows>(at);
    if (r.keys) finish(frame, r, scratch);
    scratch += tile;
  }
}

/** The output is a register block of rows: the second holds the sums of the tile. */
// @ts-ignore: decorator
@inline
function sumsOf(r: Rows): usize {
  return r.states.output + ((<usize>r.states.columns) << 2);
}

/** Adds a row's sums to its output, and what has not been summed: the last columns, and where a value is NaN. */
function finish(frame: AttendFrame, r: Rows, scratch: usize): void {
  const output = r.states.output;
  const sums = sumsOf(r);
  const wide = ((<usize>frame.valueSize) & ~31) << 2;
  const eights = ((<usize>frame.valueSize) & ~7) << 2;
  const p = productOf(scratch);
  p.a = scoresOf(scratch);
  p.depth = r.columns;
  p.panel = frame.valueRow << 2;
  let bytes: usize = 128;
  for (let at: usize = 0; at < eights; at += bytes) {
    if (at == wide) bytes = 32;
    if (addSums(sums + at, output + at, bytes)) continue;
    p.b = r.values + at;
    p.c = output + at;
    p.columns = <i32>(bytes >> 2);
    addVisible(p, spareOf(frame, scratch));
  }
  p.b = r.values + eights;
  p.c = output + eights;
  p.columns = frame.valueSize & 7;
  addVisible(p, spareOf(frame, scratch));
}

/** 32 columns of the keys weighed from `weights` to `end`, going on from `sums` where they have begun. */
// @ts-ignore: decorator
@inline
function addColumns(
  weights: usize,
  end: usize,
  values: usize,
  stride: usize,
  sums: usize,
  begun: bool,
): void {
  let s0 = f32x4.splat(0);
  let s1 = s0;
  let s2 = s0;
  let s3 = s0;
  let s4 = s0;
  let s5 = s0;
  let s6 = s0;
  let s7 = s0;
  if (begun) {
    s0 = v128.load(sums);
    s1 = v128.load(sums, 16);
    s2 = v128.load(sums, 32);
    s3 = v128.load(sums, 48);
    s4 = v128.load(sums, 64);
    s5 = v128.load(sums, 80);
    s6 = v128.load(sums, 96);
    s7 = v128.load(sums, 112);
  }
  // By their weights: what lies a stride after the last key may be no address any more.
  for (; weights < end; weights += 4) {
    const w = v128.load32_splat(weights);
    s0 = madd(w, v128.load(values), s0);
    s1 = madd(w, v128.load(values, 16), s1);
    s2 = madd(w, v128.load(values, 32), s2);
    s3 = madd(w, v128.load(values, 48), s3);
    s4 = madd(w, v128.load(values, 64), s4);
    s5 = madd(w, v128.load(values, 80), s5);
    s6 = madd(w, v128.load(values, 96), s6);
    s7 = madd(w, v128.load(values, 112), s7);
    values += stride;
  }
  v128.store(sums, s0);
  v128.store(sums, s1, 16);
  v128.store(sums, s2, 32);
  v128.store(sums, s3, 48);
  v128.store(sums, s4, 64);
  v128.store(sums, s5, 80);
  v128.store(sums, s6, 96);
  v128.store(sums, s7, 112);
}

/** Eight of them. */
// @ts-ignore: decorator
@inline
function addEight(
  weights: usize,
  end: usize,
  values: usize,
  stride: usize,
  sums: usize,
  begun: bool,
): void {
  let s0 = f32x4.splat(0);
  let s1 = s0;
  if (begun) {
    s0 = v128.load(sums);
    s1 = v128.load(sums, 16);
  }
  for (; weights < end; weights += 4) {
    const w = v128.load32_splat(weights);
    s0 = madd(w, v128.load(values), s0);
    s1 = madd(w, v128.load(values, 16), s1);
    values += stride;
  }
  v128.store(sums, s0);
  v128.store(sums, s1, 16);
}

/** Adds sums of so many bytes to the output; false, with nothing added, where one is NaN. */
function addSums(sums: usize, output: usize, bytes: usize): bool {
  let all = f32x4.splat(0);
  for (let at: usize = 0; at < bytes; at += 16) all = f32x4.add(all, v128.load(sums + at));
  if (v128.any_true(f32x4.ne(all, all))) return false;
  for (let at: usize = 0; at < bytes; at += 16) {
    v128.store(output + at, f32x4.add(v128.load(sums + at), v128.load(output + at)));
  }
  return true;
}

/**
 * Four columns at a time, then one, without the keys that are left out (score −∞): a [depth] weights,
 * b [depth] rows at a stride of `panel` bytes, c one row.
 */
function addVisible(p: Product, scores: usize): void {
  let columns = p.columns;
  let values = p.b;
  let output = p.c;
  const end = p.a + ((<usize>p.depth) << 2);
  while (columns > 0) {
    const four = columns >= 4;
    let sum = f32x4.splat(0);
    let value = values;
    let score = scores;
    for (let weight = p.a; weight < end; weight += 4) {
      if (load<f32>(score) != -(<f32>Infinity)) {
        const v = four ? v128.load(value) : v128.load32_splat(value);
        sum = madd(v128.load32_splat(weight), v, sum);
      }
      score += 4;
      value += p.panel;
    }
    if (four) v128.store(output, f32x4.add(sum, v128.load(output)));
    else store<f32>(output, f32x4.extract_lane(sum, 0) + load<f32>(output));
    const step = four ? 4 : 1;
    columns -= step;
    values += (<usize>step) << 2;
    output += (<usize>step) << 2;
  }
}
