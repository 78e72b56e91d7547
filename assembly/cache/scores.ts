// The scores of queries with stored keys as they lie, four at a time:
//
//   int8, int4   s_j = (q̂ · k̂_j) · scale_j · scale      in integers, whose sums are exact
//   int16        s_j = (q · k̂_j) · scale_j              in float32, k̂ made so in registers
//
// A score depends on its key alone. A key of NaN has a scale of NaN, and so its score. What stands behind a
// key is multiplied by 0.

import { NumbersKind } from "../kinds";
import { BLOCK_BYTES, SCALE } from "./numbers";
import { Query, QUERY_BLOCK, queryNumbers } from "./query";
import { Strip, Work, worksOf } from "./work";

/** Numbers of int8 whose products four lanes of 32 bits can add up. */
const SUM: usize = 2048;

/** Scores of the strip's run for each of its Works, four keys of each in turns, as gatherScales. */
export function scoreRun(strip: Strip, numbers: i32): void {
  if (numbers == NumbersKind.int8) scoreEight(strip);
  else if (numbers == NumbersKind.int16) scoreSixteen(strip);
  else scoreBlocks(strip);
}

/** Rows of int8, 16 numbers at a time. */
function scoreEight(strip: Strip): void {
  const stride = strip.stride;
  let keys = strip.run;
  let to = (<usize>strip.first) << 2;
  for (let count = strip.count; count > 0; count -= 4) {
    let at = worksOf(strip);
    for (const last = at + <usize>strip.works * strip.step; at < last; at += strip.step) {
      const work = changetype<Work>(at);
      const query = work.query;
      const size = <usize>query.size;
      const q = queryNumbers(query);
      const k0 = keys + work.keyHead;
      const k1 = count > 1 ? k0 + stride : k0;
      const k2 = count > 2 ? k1 + stride : k0;
      const k3 = count > 3 ? k2 + stride : k0;
      let s0 = f32x4.splat(0);
      let s1 = s0;
      let s2 = s0;
      let s3 = s0;
      for (let i: usize = 0; i < size;) {
        const end = min(i + SUM, size);
        let i0 = i32x4.splat(0);
        let i1 = i0;
        let i2 = i0;
        let i3 = i0;
        for (; i + 16 <= end; i += 16) {
          let v = v128.load(q + (i << 1));
          i0 = add8(i0, v128.load_ext<i8>(k0 + i, 4), v);
          i1 = add8(i1, v128.load_ext<i8>(k1 + i, 4), v);
          i2 = add8(i2, v128.load_ext<i8>(k2 + i, 4), v);
          i3 = add8(i3, v128.load_ext<i8>(k3 + i, 4), v);
          v = v128.load(q + (i << 1), 16);
          i0 = add8(i0, v128.load_ext<i8>(k0 + i, 12), v);
          i1 = add8(i1, v128.load_ext<i8>(k1 + i, 12), v);
          i2 = add8(i2, v128.load_ext<i8>(k2 + i, 12), v);
          i3 = add8(i3, v128.load_ext<i8>(k3 + i, 12), v);
        }
        for (; i < end; i += 8) {
          const v = v128.load(q + (i << 1));
          i0 = add8(i0, v128.load_ext<i8>(k0 + i, 4), v);
          i1 = add8(i1, v128.load_ext<i8>(k1 + i, 4), v);
          i2 = add8(i2, v128.load_ext<i8>(k2 + i, 4), v);
          i3 = add8(i3, v128.load_ext<i8>(k3 + i, 4), v);
        }
        s0 = f32x4.add(s0, f32x4.convert_i32x4_s(i0));
        s1 = f32x4.add(s1, f32x4.convert_i32x4_s(i1));
        s2 = f32x4.add(s2, f32x4.convert_i32x4_s(i2));
        s3 = f32x4.add(s3, f32x4.convert_i32x4_s(i3));
      }
      const sums = f32x4.mul(sumsOf(s0, s1, s2, s3), scalesOf(k0, k1, k2, k3));
      storeScores(work.scores + to, f32x4.mul(sums, f32x4.splat(query.scale)), count);
    }
    keys += 4 * stride;
    to += 16;
  }
}

/** Rows of int16. */
function scoreSixteen(strip: Strip): void {
  const stride = strip.stride;
  let keys = strip.run;
  let to = (<usize>strip.first) << 2;
  for (let count = strip.count; count > 0; count -= 4) {
    let at = worksOf(strip);
    for (const last = at + <usize>strip.works * strip.step; at < last; at += strip.step) {
      const work = changetype<Work>(at);
      const query = work.query;
      const size = (<usize>query.size) << 1;
      const q = queryNumbers(query);
      const k0 = keys + work.keyHead;
      const k1 = count > 1 ? k0 + stride : k0;
      const k2 = count > 2 ? k1 + stride : k0;
      const k3 = count > 3 ? k2 + stride : k0;
      let s0 = f32x4.splat(0);
      let s1 = s0;
      let s2 = s0;
      let s3 = s0;
      for (let i: usize = 0; i < size; i += 16) {
        const low = v128.load(q + (i << 1));
        const high = v128.load(q + (i << 1), 16);
        s0 = f32x4.add(f32x4.add(s0, times4(k0 + i, low)), times4Behind(k0 + i, high));
        s1 = f32x4.add(f32x4.add(s1, times4(k1 + i, low)), times4Behind(k1 + i, high));
        s2 = f32x4.add(f32x4.add(s2, times4(k2 + i, low)), times4Behind(k2 + i, high));
        s3 = f32x4.add(f32x4.add(s3, times4(k3 + i, low)), times4Behind(k3 + i, high));
      }
      const sums = f32x4.mul(sumsOf(s0, s1, s2, s3), scalesOf(k0, k1, k2, k3));
      storeScores(work.scores + to, f32x4.mul(sums, f32x4.splat(query.scale)), count);
    }
    keys += 4 * stride;
    to += 16;
  }
}

/** Rows of int4, a block at a time. */
function scoreBlocks(strip: Strip): void {
  const stride = strip.stride;
  let keys = strip.run;
  let to = (<usize>strip.first) << 2;
  for (let count = strip.count; count > 0; count -= 4) {
    let at = worksOf(strip);
    for (const last = at + <usize>strip.works * strip.step; at < last; at += strip.step) {
      const work = changetype<Work>(at);
      const query = work.query;
      let k0 = keys + work.keyHead;
      let k1 = count > 1 ? k0 + stride : k0;
      let k2 = count > 2 ? k1 + stride : k0;
      let k3 = count > 3 ? k2 + stride : k0;
      let s0 = f32x4.splat(0);
      let s1 = s0;
      let s2 = s0;
      let s3 = s0;
      let block = queryNumbers(query);
      for (let i = query.size; i > 0; i -= 32) {
        s0 = f32x4.add(s0, dotBlock(k0, block));
        s1 = f32x4.add(s1, dotBlock(k1, block));
        s2 = f32x4.add(s2, dotBlock(k2, block));
        s3 = f32x4.add(s3, dotBlock(k3, block));
        k0 += BLOCK_BYTES;
        k1 += BLOCK_BYTES;
        k2 += BLOCK_BYTES;
        k3 += BLOCK_BYTES;
        block += QUERY_BLOCK;
      }
      const sums = sumsOf(s0, s1, s2, s3);
      storeScores(work.scores + to, f32x4.mul(sums, f32x4.splat(query.scale)), count);
    }
    keys += 4 * stride;
    to += 16;
  }
}

/** The scales of four rows. */
// @ts-ignore: decorator
@inline
function scalesOf(k0: usize, k1: usize, k2: usize, k3: usize): v128 {
  let scales = v128.load32_zero(k0);
  scales = v128.load_lane<f32>(k1, scales, 1);
  scales = v128.load_lane<f32>(k2, scales, 2);
  return v128.load_lane<f32>(k3, scales, 3);
}

/** The first `count` of four scores. */
// @ts-ignore: decorator
@inline
function storeScores(target: usize, scores: v128, count: i32): void {
  if (count >= 4) {
    v128.store(target, scores);
    return;
  }
  v128.store32_lane(target, scores, 0);
  if (count > 1) v128.store32_lane(target, scores, 1, 4);
  if (count > 2) v128.store32_lane(target, scores, 2, 8);
}

/** (v₀ + v₂) + (v₁ + v₃) of each. */
// @ts-ignore: decorator
@inline
export function sumsOf(s0: v128, s1: v128, s2: v128, s3: v128): v128 {
  const low01 = v128.shuffle<f32>(s0, s1, 0, 4, 1, 5);
  const high01 = v128.shuffle<f32>(s0, s1, 2, 6, 3, 7);
  const low23 = v128.shuffle<f32>(s2, s3, 0, 4, 1, 5);
  const high23 = v128.shuffle<f32>(s2, s3, 2, 6, 3, 7);
  const t01 = f32x4.add(low01, high01);
  const t23 = f32x4.add(low23, high23);
  return f32x4.add(
    v128.shuffle<f32>(t01, t23, 0, 1, 4, 5),
    v128.shuffle<f32>(t01, t23, 2, 3, 6, 7),
  );
}

/** The numbers of a block of int4 by one of the query, in four sums. */
// @ts-ignore: decorator
@inline
export function dotNumbers(n0: v128, n1: v128, n2: v128, n3: v128, query: usize): v128 {
  let sum = v128.load32_zero(query);
  sum = i32x4.add(sum, i32x4.dot_i16x8_s(n0, v128.load(query, 16)));
  sum = i32x4.add(sum, i32x4.dot_i16x8_s(n1, v128.load(query, 32)));
  sum = i32x4.add(sum, i32x4.dot_i16x8_s(n2, v128.load(query, 48)));
  sum = i32x4.add(sum, i32x4.dot_i16x8_s(n3, v128.load(query, 64)));
  return f32x4.convert_i32x4_s(sum);
}

/** sum + eight numbers of a key by eight of the query, in four sums. */
// @ts-ignore: decorator
@inline
function add8(sum: v128, key: v128, query: v128): v128 {
  return i32x4.add(sum, i32x4.dot_i16x8_s(key, query));
}

/** Four numbers of a key of int16 by four of the query; those at 0, and at 4. */
// @ts-ignore: decorator
@inline
function times4(key: usize, query: v128): v128 {
  return f32x4.mul(f32x4.convert_i32x4_s(v128.load_ext<i16>(key, SCALE)), query);
}

// @ts-ignore: decorator
@inline
function times4Behind(key: usize, query: v128): v128 {
  return f32x4.mul(f32x4.convert_i32x4_s(v128.load_ext<i16>(key, SCALE + 8)), query);
}

/** A block of int4 by one of the query, times its scale. */
// @ts-ignore: decorator
@inline
function dotBlock(key: usize, query: usize): v128 {
  const mask = i16x8.splat(15);
  const x = v128.load(key, SCALE);
  const second = v128.and(i16x8.shr_u(x, 4), mask);
  const third = v128.and(i16x8.shr_u(x, 8), mask);
  const sums = dotNumbers(v128.and(x, mask), second, third, i16x8.shr_u(x, 12), query);
  return f32x4.mul(sums, v128.load32_splat(key));
}
