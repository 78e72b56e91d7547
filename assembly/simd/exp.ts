// e^x of four lanes, for x ≤ 0.
//
// x = n·ln 2 + r with n an integer and |r| ≤ ½ ln 2: n·ln 2 is taken away in two parts,
// the first of 15 bits, so that next to nothing is rounded (Cody & Waite 1980). e^r by the
// degree-6 minimax polynomial with 1 + r at its foot (relative error 3.1e-9, so e^0 is exactly 1);
// 2^n by its exponent bits. Relative error at most 1.5 ulp of float32.
// Where n < −126 the result is 0: no denormals reach the sums. NaN stays NaN, e^−∞ is 0.

import { madd } from "./lanes";

// Constants come from memory: a splat in a loop is built anew on each use by the
// engines measured (2.0–2.5 ns an element against 0.8).
export const constants = memory.data<f32>([
  12583039.0, // 1.5·2²³ + 127: adding it rounds to an integer whose low bits are n + 127
  -126.0,
  1.0,
  1.4426950408889634, // log₂ e
  -0.693145751953125, // −ln 2, its first 15 bits
  -0.00000142860677, // and the rest
  0.4999999403953552,
  0.1666652113199234,
  0.041668277233839035,
  0.008368686772882938,
  0.0013819824671372771,
]);

// @ts-ignore: decorator
@inline
export function exp(x: v128): v128 {
  const shift = v128.load32_splat(constants);
  const t = madd(x, v128.load32_splat(constants, 12), shift);
  const n = f32x4.sub(t, shift);
  const high = madd(n, v128.load32_splat(constants, 16), x);
  const r = madd(n, v128.load32_splat(constants, 20), high);
  let p = v128.load32_splat(constants, 40);
  p = madd(p, r, v128.load32_splat(constants, 36));
  p = madd(p, r, v128.load32_splat(constants, 32));
  p = madd(p, r, v128.load32_splat(constants, 28));
  p = madd(p, r, v128.load32_splat(constants, 24));
  p = madd(p, r, v128.load32_splat(constants, 8));
  p = madd(p, r, v128.load32_splat(constants, 8));
  // A product, not an addition of bits, so that a NaN cannot turn into a number.
  const power = f32x4.mul(p, i32x4.shl(t, 23));
  return v128.andnot(power, f32x4.lt(n, v128.load32_splat(constants, 4)));
}

/**
 * The sixteen floats at `at` become e^(x − base), to the same bits: four vectors side by side, so
 * that a constant is loaded once for all of them (bench/NOTES.md).
 */
// @ts-ignore: decorator
@inline
export function expSixteen(at: usize, base: v128): void {
  let x0 = f32x4.sub(v128.load(at), base);
  let x1 = f32x4.sub(v128.load(at, 16), base);
  let x2 = f32x4.sub(v128.load(at, 32), base);
  let x3 = f32x4.sub(v128.load(at, 48), base);

  const shift = v128.load32_splat(constants);
  let c = v128.load32_splat(constants, 12);
  const t0 = madd(x0, c, shift);
  const t1 = madd(x1, c, shift);
  const t2 = madd(x2, c, shift);
  const t3 = madd(x3, c, shift);
  let n0 = f32x4.sub(t0, shift);
  let n1 = f32x4.sub(t1, shift);
  let n2 = f32x4.sub(t2, shift);
  let n3 = f32x4.sub(t3, shift);
  c = v128.load32_splat(constants, 16);
  x0 = madd(n0, c, x0);
  x1 = madd(n1, c, x1);
  x2 = madd(n2, c, x2);
  x3 = madd(n3, c, x3);
  c = v128.load32_splat(constants, 20);
  x0 = madd(n0, c, x0);
  x1 = madd(n1, c, x1);
  x2 = madd(n2, c, x2);
  x3 = madd(n3, c, x3);

  let p0 = v128.load32_splat(constants, 40);
  c = v128.load32_splat(constants, 36);
  let p1 = madd(p0, x1, c);
  let p2 = madd(p0, x2, c);
  let p3 = madd(p0, x3, c);
  p0 = madd(p0, x0, c);
  c = v128.load32_splat(constants, 32);
  p0 = madd(p0, x0, c);
  p1 = madd(p1, x1, c);
  p2 = madd(p2, x2, c);
  p3 = madd(p3, x3, c);
  c = v128.load32_splat(constants, 28);
  p0 = madd(p0, x0, c);
  p1 = madd(p1, x1, c);
  p2 = madd(p2, x2, c);
  p3 = madd(p3, x3, c);
  c = v128.load32_splat(constants, 24);
  p0 = madd(p0, x0, c);
  p1 = madd(p1, x1, c);
  p2 = madd(p2, x2, c);
  p3 = madd(p3, x3, c);
  c = v128.load32_splat(constants, 8);
  p0 = madd(p0, x0, c);
  p1 = madd(p1, x1, c);
  p2 = madd(p2, x2, c);
  p3 = madd(p3, x3, c);
  p0 = madd(p0, x0, c);
  p1 = madd(p1, x1, c);
  p2 = madd(p2, x2, c);
  p3 = madd(p3, x3, c);

  c = v128.load32_splat(constants, 4);
  n0 = f32x4.lt(n0, c);
  n1 = f32x4.lt(n1, c);
  n2 = f32x4.lt(n2, c);
  n3 = f32x4.lt(n3, c);
  v128.store(at, v128.andnot(f32x4.mul(p0, i32x4.shl(t0, 23)), n0));
  v128.store(at, v128.andnot(f32x4.mul(p1, i32x4.shl(t1, 23)), n1), 16);
  v128.store(at, v128.andnot(f32x4.mul(p2, i32x4.shl(t2, 23)), n2), 32);
  v128.store(at, v128.andnot(f32x4.mul(p3, i32x4.shl(t3, 23)), n3), 48);
}
