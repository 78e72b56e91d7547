// Rows of x as integers of 16 bits, LINEAR_DEPTH inputs of a row to a scale:
//
//   x̂ = nearest(x · (32767 / max |x|)), scale = max |x| / 32767
//
// A row's part that has no such scale, with NaN, infinity or nothing but numbers below 2⁻¹⁰⁰, is 0 here and
// noted: it is multiplied in float32 (linear.ts). Layout: [rows/4][inputs/2][4][2], of a single row [inputs].
//
// For numbers in fours (fours.ts) frame.most stands for 32767, and x̂ + most + 1 for x̂: bytes of 7 bits, of
// 8191 two planes of them, the high bits first. Layout of a plane: [rows/4][inputs/4][4][4], or [inputs]; of
// four rows one plane lies behind the other.

import { nearestFour } from "../simd/round";
import { LINEAR_DEPTH } from "../tiles";

/** Segments of a part, at most. */
const SEGMENTS: usize = <usize>(LINEAR_DEPTH / 16);

/** Rows of x rounded, in a thread's scratch. */
@unmanaged
export class Input {
  /** Bit i: row i is to be multiplied in float32. */
  special: u64 = 0;
  rows: i32 = 0;
  count: i32 = 0;
  /** Bytes of four rows. */
  panel: usize = 0;
}

/** Bytes of the struct, with a multiple of 16 before what follows it. */
const HEAD: usize = 32;

/** Rows, up to a whole number of fours. */
// @ts-ignore: decorator
@inline
function wholeRows(rows: i32): usize {
  return (<usize>rows + 3) & ~3;
}

/** Behind the struct: float32 scales, one a row. */
// @ts-ignore: decorator
@inline
export function scalesOf(input: Input): usize {
  return changetype<usize>(input) + HEAD;
}

/** Σ x̂ over each segment, [rows/4][SEGMENTS][4]. */
// @ts-ignore: decorator
@inline
export function sumsOf(input: Input, row: i32): usize {
  return scalesOf(input) + (wholeRows(input.rows) << 2) + <usize>(row >> 2) * (SEGMENTS << 4);
}

/** x̂ of the four rows from `row` on. */
// @ts-ignore: decorator
@inline
export function numbersOf(input: Input, row: i32): usize {
  const rows = wholeRows(input.rows);
  const sums = scalesOf(input) + (rows << 2);
  return sums + rows * (SEGMENTS << 2) + <usize>(row >> 2) * input.panel;
}

/** Bytes of it all for so many rows and inputs. */
export function inputBytes(rows: i32, depth: i32): usize {
  const inputs = (<usize>min(depth, LINEAR_DEPTH) + 3) & ~3;
  return HEAD + wholeRows(rows) * (4 + (SEGMENTS << 2) + (inputs << 1));
}

/** Ones of 16 bits, read from memory: a constant is made anew at each use. */
const ONES = memory.data<u16>([1, 1]);

// @ts-ignore: decorator
@inline
export function onesOfWords(): v128 {
  return v128.load32_splat(ONES);
}

/** Eight inputs, of 16 bits. */
// @ts-ignore: decorator
@inline
export function rounded(source: usize, factor: v128, shift: v128): v128 {
  const low = roundedFour(v128.load(source), factor, shift);
  return i16x8.narrow_i32x4_s(low, roundedFour(v128.load(source, 16), factor, shift));
}

/** 0 of NaN. */
// @ts-ignore: decorator
@inline
function roundedFour(x: v128, factor: v128, shift: v128): v128 {
  const scaled = f32x4.mul(x, factor);
  return v128.and(nearestFour(scaled, shift), f32x4.eq(scaled, scaled));
}

/** One input; of a row that has no integers 0. */
// @ts-ignore: decorator
@inline
export function roundedOne(source: usize, inverse: f32): i32 {
  const x = nearest(load<f32>(source) * inverse);
  return inverse == 0 ? 0 : <i32>x;
}
