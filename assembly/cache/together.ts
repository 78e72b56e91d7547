// WORKS rows of one head together: each stored number is made a float, or an integer, once for all of them.
// The bits are those of rows by themselves.

import { NumbersKind } from "../kinds";
import { TILE_ROW } from "../tiles";
import { BLOCK_BYTES, SCALE } from "./numbers";
import { QUERY_BLOCK, queryNumbers } from "./query";
import { dotNumbers, sumsOf } from "./scores";
import { Strip, workOf } from "./work";

/** As scoreRun of scores.ts, of int16 and int4. */
export function scoreRows(strip: Strip): void {
  const stride = strip.stride;
  const first = workOf(strip, 0);
  const a = first.query;
  const b = workOf(strip, 1).query;
  const c = workOf(strip, 2).query;
  const d = workOf(strip, 3).query;
  const numbers = a.numbers;
  const size = <usize>a.size;
  const q0 = queryNumbers(a);
  const q1 = queryNumbers(b);
  const q2 = queryNumbers(c);
  const q3 = queryNumbers(d);
  const scales = f32x4.replace_lane(
    f32x4.replace_lane(f32x4.replace_lane(f32x4.splat(a.scale), 1, b.scale), 2, c.scale),
    3,
    d.scale,
  );
  let keys = strip.run + first.keyHead;
  let target = first.scores + ((<usize>strip.first) << 2);
  for (let count = strip.count; count > 0; count--) {
    let s0 = f32x4.splat(0);
    let s1 = s0;
    let s2 = s0;
    let s3 = s0;
    if (numbers == NumbersKind.int16) {
      for (let i: usize = 0; i < size; i += 8) {
        const key = keys + (i << 1);
        const a = f32x4.convert_i32x4_s(v128.load_ext<i16>(key, SCALE));
        const b = f32x4.convert_i32x4_s(v128.load_ext<i16>(key, SCALE + 8));
        const at = i << 2;
        s0 = addEight(s0, a, b, q0 + at);
        s1 = addEight(s1, a, b, q1 + at);
        s2 = addEight(s2, a, b, q2 + at);
        s3 = addEight(s3, a, b, q3 + at);
      }
    } else {
      let at: usize = 0;
      let key = keys;
      for (let i: usize = 0; i < size; i += 32) {
        const scale = v128.load32_splat(key);
        const mask = i16x8.splat(15);
        const x = v128.load(key, SCALE);
        const n0 = v128.and(x, mask);
        const n1 = v128.and(i16x8.shr_u(x, 4), mask);
        const n2 = v128.and(i16x8.shr_u(x, 8), mask);
        const n3 = i16x8.shr_u(x, 12);
        s0 = f32x4.add(s0, f32x4.mul(dotNumbers(n0, n1, n2, n3, q0 + at), scale));
        s1 = f32x4.add(s1, f32x4.mul(dotNumbers(n0, n1, n2, n3, q1 + at), scale));
        s2 = f32x4.add(s2, f32x4.mul(dotNumbers(n0, n1, n2, n3, q2 + at), scale));
        s3 = f32x4.add(s3, f32x4.mul(dotNumbers(n0, n1, n2, n3, q3 + at), scale));
        key += BLOCK_BYTES;
        at += QUERY_BLOCK;
      }
    }
    let sums = sumsOf(s0, s1, s2, s3);
    if (numbers == NumbersKind.int16) sums = f32x4.mul(sums, v128.load32_splat(keys));
    const scores = f32x4.mul(sums, scales);
    v128.store32_lane(target, scores, 0);
    v128.store32_lane(target, scores, 1, TILE_ROW);
    v128.store32_lane(target, scores, 2, 2 * TILE_ROW);
    v128.store32_lane(target, scores, 3, 3 * TILE_ROW);
    keys += stride;
    target += 4;
  }
}

/** sum + eight numbers by eight of the query. */
// @ts-ignore: decorator
@inline
function addEight(sum: v128, low: v128, high: v128, query: usize): v128 {
  const half = f32x4.add(sum, f32x4.mul(low, v128.load(query)));
  return f32x4.add(half, f32x4.mul(high, v128.load(query, 16)));
}

/** As addRun of values.ts, of int16, eight columns at a time. */
export function addRunRows(strip: Strip): void {
  const work = workOf(strip, 0);
  const step = strip.step;
  const stride = strip.stride;
  const count = strip.count;
  const values = strip.run + work.valueHead;
  for (let column: usize = 0; column < <usize>work.columns; column += 8) {
    let value = values + SCALE + (column << 1);
    let weights = work.products + ((<usize>strip.first) << 2);
    const sums = work.sums + (column << 2);
    let a0 = v128.load(sums);
    let b0 = v128.load(sums, 16);
    let a1 = v128.load(sums + step);
    let b1 = v128.load(sums + step, 16);
    let a2 = v128.load(sums + 2 * step);
    let b2 = v128.load(sums + 2 * step, 16);
    let a3 = v128.load(sums + 3 * step);
    let b3 = v128.load(sums + 3 * step, 16);
    for (const end = weights + ((<usize>count) << 2); weights < end; weights += 4) {
      const a = f32x4.convert_i32x4_s(v128.load_ext<i16>(value));
      const b = f32x4.convert_i32x4_s(v128.load_ext<i16>(value, 8));
      let w = v128.load32_splat(weights);
      a0 = f32x4.add(a0, f32x4.mul(w, a));
      b0 = f32x4.add(b0, f32x4.mul(w, b));
      w = v128.load32_splat(weights + step);
      a1 = f32x4.add(a1, f32x4.mul(w, a));
      b1 = f32x4.add(b1, f32x4.mul(w, b));
      w = v128.load32_splat(weights + 2 * step);
      a2 = f32x4.add(a2, f32x4.mul(w, a));
      b2 = f32x4.add(b2, f32x4.mul(w, b));
      w = v128.load32_splat(weights + 3 * step);
      a3 = f32x4.add(a3, f32x4.mul(w, a));
      b3 = f32x4.add(b3, f32x4.mul(w, b));
      value += stride;
    }
    v128.store(sums, a0);
    v128.store(sums, b0, 16);
    v128.store(sums + step, a1);
    v128.store(sums + step, b1, 16);
    v128.store(sums + 2 * step, a2);
    v128.store(sums + 2 * step, b2, 16);
    v128.store(sums + 3 * step, a3);
    v128.store(sums + 3 * step, b3, 16);
  }
}
