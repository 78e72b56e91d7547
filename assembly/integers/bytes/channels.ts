// Rows of floats by channel, four at a time; what stands behind a row's end counts as 0.

import { largerMagnitude, largestOfFour, magnitudeMask } from "../../simd/magnitude";

/** Channels d to d + 3 of a row of `size`. */
// @ts-ignore: decorator
@inline
export function fourOf(row: usize, d: i32, size: i32): v128 {
  const at = row + ((<usize>d) << 2);
  if (d + 4 <= size) return v128.load(at);
  let x = v128.load32_zero(at);
  if (d + 1 < size) x = v128.load_lane<f32>(at, x, 1, 4);
  if (d + 2 < size) x = v128.load_lane<f32>(at, x, 2, 8);
  return x;
}

/** Largest magnitude; NaN where there is one. */
export function largestOf(row: usize, size: i32): f32 {
  const mask = magnitudeMask();
  let most = f32x4.splat(0);
  for (let d = 0; d < size; d += 4) most = largerMagnitude(most, fourOf(row, d, size), mask);
  return largestOfFour(most);
}

/** The same of x − mean. */
export function largestOff(row: usize, size: i32, means: usize): f32 {
  const mask = magnitudeMask();
  let most = f32x4.splat(0);
  for (let d = 0; d < size; d += 4) {
    const off = f32x4.sub(fourOf(row, d, size), v128.load(means + ((<usize>d) << 2)));
    most = largerMagnitude(most, off, mask);
  }
  return largestOfFour(most);
}

/** And of (x − mean) · factor. */
export function largestAround(row: usize, size: i32, means: usize, factors: usize): f32 {
  const mask = magnitudeMask();
  let most = f32x4.splat(0);
  for (let d = 0; d < size; d += 4) {
    most = largerMagnitude(most, around(row, d, size, means, factors), mask);
  }
  return largestOfFour(most);
}

/** (x − mean) · factor of four channels. */
// @ts-ignore: decorator
@inline
export function around(row: usize, d: i32, size: i32, means: usize, factors: usize): v128 {
  const at = (<usize>d) << 2;
  return f32x4.mul(f32x4.sub(fourOf(row, d, size), v128.load(means + at)), v128.load(factors + at));
}

/** Rows of which none is so many times as large as another have a mean that serves all of them. */
const ALIKE: f32 = 16;

/**
 * The mean of each channel over `count` rows `stride` floats apart, [size], or 0 where rows are too unlike: one
 * that nobody sees may hold anything. `largest` are theirs, [count].
 */
export function meansOf(
  rows: usize,
  stride: usize,
  count: i32,
  size: i32,
  largest: usize,
  means: usize,
): void {
  let least = <f32>Infinity;
  let most: f32 = 0;
  for (let j = 0; j < count; j++) {
    const x = load<f32>(largest + ((<usize>j) << 2));
    if (x == 0) continue;
    least = min(least, x);
    most = max(most, x);
  }
  const factor = f32x4.splat(most <= ALIKE * least ? <f32>1 / <f32>count : 0);
  const end = (<usize>((size + 3) & ~3)) << 2;
  memory.fill(means, 0, end);
  // Row by row, as they lie: each channel's sum is its own.
  for (let j = 0; j < count; j++) {
    for (let d = 0; d < size; d += 4) {
      const at = means + ((<usize>d) << 2);
      v128.store(at, f32x4.add(v128.load(at), fourOf(rows, d, size)));
    }
    rows += stride << 2;
  }
  for (let at: usize = 0; at < end; at += 16) {
    v128.store(means + at, f32x4.mul(v128.load(means + at), factor));
  }
}

/** Four numbers as integers, halves to even: added to 1.5·2²³ they are rounded, as its last bits. */
// @ts-ignore: decorator
@inline
export function roundedFour(x: v128): v128 {
  const shift = f32x4.splat(12582912);
  return i32x4.sub(f32x4.add(x, shift), shift);
}
