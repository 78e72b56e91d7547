// A tile's stored values as they lie, by the weights w of one query:
//
//   int8, int4   o += (Σ_j ŵ_j · v̂_j) · scale       ŵ_j = w_j · scale_j of 16 bits, a scale a tile (of int4
//                                                    one for each 32 columns); sums of integers are exact
//   int16        o += Σ_j (w_j · scale_j) · v̂_j      in float32, key by key
//
// Columns past the last are garbage that nobody reads. A value of NaN has a scale of NaN, which makes NaN of
// the row unless its key is left out.

import { NumbersKind } from "../kinds";
import { KEYS } from "../tiles";
import { SCALE } from "./numbers";
import { MOST } from "./query";

/** Columns of a block of int4. */
const BLOCK: i32 = 32;

/**
 * What is added up for a tile: weights times scales [KEYS], as 16 bits, and sums [⌈Dv⌉₃₂]. Those of int4
 * stand as addBlock leaves them.
 */
@unmanaged
export class Work {
  /** ŵ · scale = w · scale_j; NaN where one is. */
  scale: f32 = 0;
  /** NumbersKind */
  numbers: i32 = 0;
  /** Of a block; a row of others than int4 is one. */
  columns: i32 = 0;
  products: usize = 0;
  weights: usize = 0;
  sums: usize = 0;
}

const HEADER: usize = 64;

/** Bytes of a Work, a multiple of 64. */
export function workBytes(size: i32): usize {
  return HEADER + <usize>KEYS * 6 + (((<usize>size + 31) & ~31) << 2);
}

export function layOutWork(work: Work, numbers: i32, size: i32): void {
  work.numbers = numbers;
  work.columns = numbers == NumbersKind.int4 ? BLOCK : size;
  work.products = changetype<usize>(work) + HEADER;
  work.weights = work.products + ((<usize>KEYS) << 2);
  work.sums = work.weights + ((<usize>KEYS) << 1);
}

/** The scales of `count` rows. */
// @ts-ignore: decorator
@inline
export function gatherScales(values: usize, stride: usize, count: i32, target: usize): void {
  const end = target + ((<usize>count) << 2);
  for (; target < end; target += 4) {
    store<f32>(target, load<f32>(values));
    values += stride;
  }
}

/**
 * Multiplies `count` scales, the work's products, by the weights, rounds them, and clears the sums.
 * False if nothing is to be added. What is left out has a score of −∞.
 */
export function weigh(work: Work, weights: usize, scores: usize, count: i32): bool {
  const hidden = f32x4.splat(-(<f32>Infinity));
  const end = (<usize>((count + 7) & ~7)) << 2;
  const products = work.products;
  let largest = f32x4.splat(0);
  let sum = largest;
  for (let i: usize = 0; i < end; i += 16) {
    const all = f32x4.mul(v128.load(weights + i), v128.load(products + i));
    const product = v128.and(all, f32x4.ne(v128.load(scores + i), hidden));
    v128.store(products + i, product);
    largest = f32x4.pmax(largest, f32x4.abs(product));
    sum = f32x4.add(sum, product);
  }
  const most = max(
    max(f32x4.extract_lane(largest, 0), f32x4.extract_lane(largest, 1)),
    max(f32x4.extract_lane(largest, 2), f32x4.extract_lane(largest, 3)),
  );
  const finite = !v128.any_true(f32x4.ne(sum, sum));
  if (finite && most == 0) return false;
  let start = i32x4.splat(0);
  if (work.numbers != NumbersKind.int16) {
    const inverse: f32 = finite && most > <f32>1e-30 ? MOST / most : 0;
    let total = i32x4.splat(0);
    for (let i: usize = 0; i < end; i += 32) {
      const low = nearest(v128.load(products + i), inverse);
      const high = nearest(v128.load(products + i, 16), inverse);
      total = i32x4.add(total, i32x4.add(low, high));
      v128.store(work.weights + (i >> 1), i16x8.narrow_i32x4_s(low, high));
    }
    work.scale = finite ? most / MOST : <f32>NaN;
    if (work.numbers == NumbersKind.int4) {
      const pairs = i32x4.add(total, v128.shuffle<i32>(total, total, 2, 3, 0, 1));
      start = i32x4.splat(-8 * (i32x4.extract_lane(pairs, 0) + i32x4.extract_lane(pairs, 1)));
    }
  }
  const last = work.sums + ((<usize>((work.columns + 3) & ~3)) << 2);
  for (let at = work.sums; at < last; at += 16) v128.store(at, start);
  return true;
}

/** Four products as integers of 16 bits: added to 1.5·2²³ they are rounded to halves even, as its last bits. */
// @ts-ignore: decorator
@inline
function nearest(products: v128, inverse: f32): v128 {
  const shift = f32x4.splat(12582912);
  return i32x4.sub(f32x4.add(f32x4.mul(products, f32x4.splat(inverse)), shift), shift);
}

/** Adds `count` rows to the sums, from the tile's row `first` on. */
export function addRun(work: Work, values: usize, stride: usize, first: i32, count: i32): void {
  const weights = work.weights + ((<usize>first) << 1);
  if (work.numbers == NumbersKind.int4) {
    addBlock(weights, values + SCALE, stride, count, work.sums);
    return;
  }
  const products = work.products + ((<usize>first) << 2);
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

/** output += sums · scale, `columns` of them, a multiple of 8. */
export function addSums(work: Work, output: usize, columns: i32): void {
  const scale = f32x4.splat(work.scale);
  const sums = work.sums;
  const bytes = (<usize>columns) << 2;
  for (let at: usize = 0; at < bytes; at += 16) {
    let sum: v128;
    if (work.numbers == NumbersKind.int16) sum = v128.load(sums + at);
    else {
      const whole = work.numbers == NumbersKind.int4 ? inOrder(sums, at) : v128.load(sums + at);
      sum = f32x4.mul(f32x4.convert_i32x4_s(whole), scale);
    }
    v128.store(output + at, f32x4.add(v128.load(output + at), sum));
  }
}

/** Four columns as addBlock has left them: of every eight, even ones and, 32 bytes on, odd ones. */
// @ts-ignore: decorator
@inline
function inOrder(sums: usize, at: usize): v128 {
  const column = at >> 2;
  const even = sums + ((column & 8) << 3) + (column & 16);
  const a = v128.load(even);
  const b = v128.load(even, 32);
  if (column & 4) return v128.shuffle<i32>(a, b, 2, 6, 3, 7);
  return v128.shuffle<i32>(a, b, 0, 4, 1, 5);
}
