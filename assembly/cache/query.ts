// A query as the kernels of scores.ts read it, made once for all its keys; transformed where they are, see
// hadamard.ts:
//
//   int16   D floats, scale 1
//   int8    D of 16 bits, scale = max |q| / 32767
//   int4    for each 32 of them: the sum that takes 8 from each of the key's numbers, then of the first 16
//           and of the last the even ones, and the odd ones
//
// with zeros up to 16 or 32. Of NaN or infinity the scale is NaN.

import { NumbersKind } from "../kinds";
import { roundingShift } from "../simd/round";
import { hadamard } from "./hadamard";
import { magnitude, roundedEight } from "./numbers";


@unmanaged
export class Query {
  scale: f32 = 0;
  /** NumbersKind of the keys. */
  numbers: i32 = 0;
  size: i32 = 0;
  unused: i32 = 0;
}

/** Of a block of int4. */
export const QUERY_BLOCK: usize = 80;
export const MOST: f32 = 32767;

/** Between the numbers and the floats that they are made of: none is written over before it is read. */
const AHEAD: usize = 64;

/** Bytes of a query, a multiple of 16. */
// @ts-ignore: decorator
@inline
export function queryBytes(size: i32): usize {
  return offsetof<Query>() + AHEAD + (whole(size) << 2);
}

/** Numbers with the zeros behind them. */
// @ts-ignore: decorator
@inline
function whole(size: i32): usize {
  return (<usize>size + 31) & ~31;
}

/** Its numbers. */
// @ts-ignore: decorator
@inline
export function queryNumbers(query: Query): usize {
  return changetype<usize>(query) + offsetof<Query>();
}

/** A row of a panel, 16 bytes a number. */
export function roundQuery(numbers: i32, panel: usize, size: i32, query: Query): void {
  query.numbers = numbers;
  query.size = size;
  const into = queryNumbers(query);
  const row = numbers == NumbersKind.int16 ? into : into + AHEAD;
  const bytes = (<usize>size) << 2;
  const end = whole(size);
  let at: usize = 0;
  for (; at + 16 <= bytes; at += 16) {
    const from = panel + (at << 2);
    const two = v128.load_lane<f32>(from + 16, v128.load32_zero(from), 1);
    const three = v128.load_lane<f32>(from + 32, two, 2);
    v128.store(row + at, v128.load_lane<f32>(from + 48, three, 3));
  }
  for (; at < end << 2; at += 4) {
    store<f32>(row + at, at < bytes ? load<f32>(panel + (at << 2)) : 0);
  }
  query.scale = 1;
  if (numbers == NumbersKind.int16) return;
  hadamard(row, size);
  const largest = magnitude(row, size);
  const finite = largest - largest == 0;
  query.scale = finite ? largest / MOST : <f32>NaN;
  if (!finite) memory.fill(row, 0, bytes);
  const factor = f32x4.splat(finite && largest > <f32>1e-30 ? MOST / largest : 0);
  const shift = roundingShift();
  if (numbers == NumbersKind.int8) {
    for (let i: usize = 0; i < end; i += 8) {
      v128.store(into + (i << 1), roundedEight(row + (i << 2), factor, shift));
    }
    return;
  }
  let block = into;
  for (let i: usize = 0; i < end; i += 32) {
    const from = row + (i << 2);
    const a = roundedEight(from, factor, shift);
    const b = roundedEight(from + 32, factor, shift);
    const c = roundedEight(from + 64, factor, shift);
    const d = roundedEight(from + 96, factor, shift);
    storeBlock(block, a, b, c, d);
    block += QUERY_BLOCK;
  }
}

// @ts-ignore: decorator
@inline
function storeBlock(block: usize, a: v128, b: v128, c: v128, d: v128): void {
  const ones = i16x8.splat(1);
  const low = i32x4.add(i32x4.dot_i16x8_s(a, ones), i32x4.dot_i16x8_s(b, ones));
  const high = i32x4.add(i32x4.dot_i16x8_s(c, ones), i32x4.dot_i16x8_s(d, ones));
  const four = i32x4.add(low, high);
  const two = i32x4.add(four, v128.shuffle<i32>(four, four, 2, 3, 0, 1));
  store<i32>(block, -8 * (i32x4.extract_lane(two, 0) + i32x4.extract_lane(two, 1)));
  v128.store(block, v128.shuffle<i16>(a, b, 0, 2, 4, 6, 8, 10, 12, 14), 16);
  v128.store(block, v128.shuffle<i16>(c, d, 0, 2, 4, 6, 8, 10, 12, 14), 32);
  v128.store(block, v128.shuffle<i16>(a, b, 1, 3, 5, 7, 9, 11, 13, 15), 48);
  v128.store(block, v128.shuffle<i16>(c, d, 1, 3, 5, 7, 9, 11, 13, 15), 64);
}
