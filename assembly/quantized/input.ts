// Rows of x as integers of 16 bits, LINEAR_DEPTH inputs of a row to a scale:
//
//   x̂ = nearest(x · (32767 / max |x|)), scale = max |x| / 32767
//
// A row's part that has no such scale, with NaN, infinity or nothing but numbers below 2⁻¹⁰⁰, is 0 here and
// noted: it is multiplied in float32 (linear.ts). Layout: [rows/4][inputs/2][4][2], of a single row [inputs].

import { LINEAR_DEPTH, LINEAR_ROWS } from "../tiles";
import { QuantizedFrame } from "./frame";

/** Segments of a part, at most. */
const SEGMENTS: usize = <usize>(LINEAR_DEPTH / 16);
/** Below it a scale would not have all its digits. */
const LEAST: f32 = reinterpret<f32>((127 - 100) << 23);
const MOST: f32 = 32767;

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

/** Rounds `count` inputs of `rows` rows of x, the first of which is at `source`. */
export function roundRows(
  frame: QuantizedFrame,
  source: usize,
  rows: i32,
  count: i32,
  input: Input,
): void {
  input.special = 0;
  input.rows = rows;
  input.count = count;
  input.panel = (<usize>((count + 3) & ~3)) << 3;
  memory.fill(numbersOf(input, 0), 0, <usize>((rows + 3) >> 2) * input.panel);
  for (let i = 0; i < rows; i++) {
    const largest = magnitude(source, count);
    const normal = largest >= LEAST && largest < <f32>Infinity;
    if (!normal && largest != 0) input.special |= (<u64>1) << i;
    store<f32>(scalesOf(input) + ((<usize>i) << 2), normal ? largest / MOST : 0);
    roundRow(frame, source, normal ? MOST / largest : 0, i, input);
    source += (<usize>frame.depth) << 2;
  }
}

function roundRow(
  frame: QuantizedFrame,
  source: usize,
  inverse: f32,
  row: i32,
  input: Input,
): void {
  const count = input.count;
  const segment = frame.segment;
  const one = input.rows == 1;
  const step: usize = one ? 4 : 16;
  const lane = (<usize>(row & 3)) << 2;
  let target = numbersOf(input, row) + (one ? 0 : lane);
  let sum = sumsOf(input, row) + lane;
  const factor = f32x4.splat(inverse);
  for (let from = 0; from < count; from += segment) {
    const end = min(from + segment, count);
    let sums = i32x4.splat(0);
    let rest = 0;
    let i = from;
    // Of a special row every product is NaN or 0, and so is its integer.
    for (; i + 8 <= end; i += 8) {
      const at = source + ((<usize>i) << 2);
      const q = i16x8.narrow_i32x4_s(rounded(at, factor), rounded(at + 16, factor));
      sums = i32x4.add(sums, i32x4.dot_i16x8_s(q, i16x8.splat(1)));
      if (one) v128.store(target, q);
      else {
        v128.store32_lane(target, q, 0);
        v128.store32_lane(target, q, 1, 16);
        v128.store32_lane(target, q, 2, 32);
        v128.store32_lane(target, q, 3, 48);
      }
      target += step << 2;
    }
    for (; i < end; i++) {
      const x = nearest(load<f32>(source + ((<usize>i) << 2)) * inverse);
      const q = inverse == 0 ? 0 : <i32>x;
      rest += q;
      store<i16>(target + ((<usize>(i & 1)) << 1), <i16>q);
      if (i & 1) target += step;
    }
    const low = i32x4.extract_lane(sums, 0) + i32x4.extract_lane(sums, 1);
    const high = i32x4.extract_lane(sums, 2) + i32x4.extract_lane(sums, 3);
    store<i32>(sum, low + high + rest);
    sum += 16;
  }
}

// @ts-ignore: decorator
@inline
function rounded(source: usize, factor: v128): v128 {
  return i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v128.load(source), factor)));
}

/** max |x|, NaN of a NaN. */
function magnitude(source: usize, count: i32): f32 {
  let most = f32x4.splat(0);
  let i = 0;
  for (; i + 4 <= count; i += 4) {
    most = f32x4.max(most, f32x4.abs(v128.load(source + ((<usize>i) << 2))));
  }
  let largest = max(
    max(f32x4.extract_lane(most, 0), f32x4.extract_lane(most, 1)),
    max(f32x4.extract_lane(most, 2), f32x4.extract_lane(most, 3)),
  );
  for (; i < count; i++) largest = max(largest, abs(load<f32>(source + ((<usize>i) << 2))));
  return largest;
}
