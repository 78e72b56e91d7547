// A tile's stored values as they lie, by the weights w of one query:
//
//   int8, int4   o += (Σ_j ŵ_j · v̂_j) · scale       ŵ_j = w_j · scale_j of 16 bits, a scale a tile (of int4
//                                                    one for each 32 columns); sums of integers are exact
//   int16        o += Σ_j (w_j · scale_j) · v̂_j      in float32, key by key
//
// Columns past the last are garbage that nobody reads. A value of NaN has a scale of NaN, which makes NaN of
// the row unless its key is left out.

import { NumbersKind } from "../kinds";
import { SCALE } from "./numbers";
import { Strip, Work } from "./work";

/** Adds the strip's run to the sums of one of its Works, `column` bytes into a row. */
export function addRun(strip: Strip, work: Work, column: usize): void {
  const values = strip.run + work.valueHead + column;
  const stride = strip.stride;
  const count = strip.count;
  const weights = work.weights + ((<usize>strip.first) << 1);
  if (work.numbers == NumbersKind.int4) {
    addBlock(weights, values + SCALE, stride, count, work.sums);
    return;
  }
  const products = work.products + ((<usize>strip.first) << 2);
  for (let column: usize = 0; column < <usize>work.columns; column += 32) {
    const sums = work.sums + (column << 2);
    if (work.numbers == NumbersKind.int8)
      addEight(weights, values + SCALE + column, stride, count, sums);
    else addSixteen(products, values + SCALE + (column << 1), stride, count, sums);
  }
}

/** Pairs of rows of int8 by pairs of weights, 32 columns. */
function addEight(weights: usize, value: usize, stride: usize, count: i32, sums: usize): void {
  let s0 = v128.load(sums);
  let s1 = v128.load(sums, 16);
  let s2 = v128.load(sums, 32);
  let s3 = v128.load(sums, 48);
  let s4 = v128.load(sums, 64);
  let s5 = v128.load(sums, 80);
  let s6 = v128.load(sums, 96);
  let s7 = v128.load(sums, 112);
  for (; count > 0; count -= 2) {
    let next = value + stride;
    let pair = v128.load32_splat(weights);
    if (count == 1) {
      // The last row of an odd number stands for the one after it too, by 0.
      next = value;
      pair = v128.and(pair, i32x4.splat(0xffff));
    }
    let a = v128.load_ext<i8>(value);
    let b = v128.load_ext<i8>(next);
    s0 = addPairs(s0, pair, v128.shuffle<i16>(a, b, 0, 8, 1, 9, 2, 10, 3, 11));
    s1 = addPairs(s1, pair, v128.shuffle<i16>(a, b, 4, 12, 5, 13, 6, 14, 7, 15));
    a = v128.load_ext<i8>(value, 8);
    b = v128.load_ext<i8>(next, 8);
    s2 = addPairs(s2, pair, v128.shuffle<i16>(a, b, 0, 8, 1, 9, 2, 10, 3, 11));
    s3 = addPairs(s3, pair, v128.shuffle<i16>(a, b, 4, 12, 5, 13, 6, 14, 7, 15));
    a = v128.load_ext<i8>(value, 16);
    b = v128.load_ext<i8>(next, 16);
    s4 = addPairs(s4, pair, v128.shuffle<i16>(a, b, 0, 8, 1, 9, 2, 10, 3, 11));
    s5 = addPairs(s5, pair, v128.shuffle<i16>(a, b, 4, 12, 5, 13, 6, 14, 7, 15));
    a = v128.load_ext<i8>(value, 24);
    b = v128.load_ext<i8>(next, 24);
    s6 = addPairs(s6, pair, v128.shuffle<i16>(a, b, 0, 8, 1, 9, 2, 10, 3, 11));
    s7 = addPairs(s7, pair, v128.shuffle<i16>(a, b, 4, 12, 5, 13, 6, 14, 7, 15));
    value = next + stride;
    weights += 4;
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

// @ts-ignore: decorator
@inline
function addPairs(sum: v128, weights: v128, values: v128): v128 {
  return i32x4.add(sum, i32x4.dot_i16x8_s(weights, values));
}

/** Rows of int16, 32 columns. */
function addSixteen(weights: usize, value: usize, stride: usize, count: i32, sums: usize): void {
  let s0 = v128.load(sums);
  let s1 = v128.load(sums, 16);
  let s2 = v128.load(sums, 32);
  let s3 = v128.load(sums, 48);
  let s4 = v128.load(sums, 64);
  let s5 = v128.load(sums, 80);
  let s6 = v128.load(sums, 96);
  let s7 = v128.load(sums, 112);
  for (const end = weights + ((<usize>count) << 2); weights < end; weights += 4) {
    const w = v128.load32_splat(weights);
    s0 = f32x4.add(s0, f32x4.mul(w, f32x4.convert_i32x4_s(v128.load_ext<i16>(value))));
    s1 = f32x4.add(s1, f32x4.mul(w, f32x4.convert_i32x4_s(v128.load_ext<i16>(value, 8))));
    s2 = f32x4.add(s2, f32x4.mul(w, f32x4.convert_i32x4_s(v128.load_ext<i16>(value, 16))));
    s3 = f32x4.add(s3, f32x4.mul(w, f32x4.convert_i32x4_s(v128.load_ext<i16>(value, 24))));
    s4 = f32x4.add(s4, f32x4.mul(w, f32x4.convert_i32x4_s(v128.load_ext<i16>(value, 32))));
    s5 = f32x4.add(s5, f32x4.mul(w, f32x4.convert_i32x4_s(v128.load_ext<i16>(value, 40))));
    s6 = f32x4.add(s6, f32x4.mul(w, f32x4.convert_i32x4_s(v128.load_ext<i16>(value, 48))));
    s7 = f32x4.add(s7, f32x4.mul(w, f32x4.convert_i32x4_s(v128.load_ext<i16>(value, 56))));
    value += stride;
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

/** Pairs of blocks of int4 by pairs of weights: columns 0 2 4 6, 16 …, 1 …, 17 …, then 8 more of each. */
function addBlock(weights: usize, value: usize, stride: usize, count: i32, sums: usize): void {
  let s0 = v128.load(sums);
  let s1 = v128.load(sums, 16);
  let s2 = v128.load(sums, 32);
  let s3 = v128.load(sums, 48);
  let s4 = v128.load(sums, 64);
  let s5 = v128.load(sums, 80);
  let s6 = v128.load(sums, 96);
  let s7 = v128.load(sums, 112);
  const mask = i16x8.splat(15);
  for (; count > 0; count -= 2) {
    let next = value + stride;
    let pair = v128.load32_splat(weights);
    if (count == 1) {
      next = value;
      pair = v128.and(pair, i32x4.splat(0xffff));
    }
    const x = v128.load(value);
    const y = v128.load(next);
    const low = v128.shuffle<i16>(x, y, 0, 8, 1, 9, 2, 10, 3, 11);
    s0 = addPairs(s0, pair, v128.and(low, mask));
    s1 = addPairs(s1, pair, v128.and(i16x8.shr_u(low, 4), mask));
    s2 = addPairs(s2, pair, v128.and(i16x8.shr_u(low, 8), mask));
    s3 = addPairs(s3, pair, i16x8.shr_u(low, 12));
    const high = v128.shuffle<i16>(x, y, 4, 12, 5, 13, 6, 14, 7, 15);
    s4 = addPairs(s4, pair, v128.and(high, mask));
    s5 = addPairs(s5, pair, v128.and(i16x8.shr_u(high, 4), mask));
    s6 = addPairs(s6, pair, v128.and(i16x8.shr_u(high, 8), mask));
    s7 = addPairs(s7, pair, i16x8.shr_u(high, 12));
    value = next + stride;
    weights += 4;
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
