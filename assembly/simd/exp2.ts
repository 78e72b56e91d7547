// 2^(d·c) of four lanes, for differences d ≤ 0 and a positive constant c.
//
// d·c = n + f with n an integer and |f| ≤ ½; 2^f by the degree-6 minimax polynomial
// with constant term 1 (relative error 2.6e-9, so 2^0 is exactly 1); 2^n by its
// exponent bits. Relative error at most 1.5 ulp of float32 beyond the rounding of d·c.
// Below 2^−126 the result is 0: no denormals reach the sums. NaN stays NaN, 2^−∞ is 0.

import { madd, msub } from "./lanes";

// Constants come from memory: a splat in a loop is built anew on each use by the
// engines measured (2.0–2.5 ns an element against 0.8).
const constants = memory.data<f32>([
  12583039.0, // 1.5·2²³ + 127: adding it rounds to an integer whose low bits are n + 127
  -126.0,
  1.0,
  0.6931472420692444,
  0.24022652208805084,
  0.055503103882074356,
  0.009617692790925503,
  0.0013406643411144614,
  0.00015594677824992687,
]);

// @ts-ignore: decorator
@inline
export function exp2(d: v128, c: v128): v128 {
  const shift = v128.load32_splat(constants);
  const t = madd(d, c, shift);
  const n = f32x4.sub(t, shift);
  const f = msub(d, c, n);
  let p = v128.load32_splat(constants, 32);
  p = madd(p, f, v128.load32_splat(constants, 28));
  p = madd(p, f, v128.load32_splat(constants, 24));
  p = madd(p, f, v128.load32_splat(constants, 20));
  p = madd(p, f, v128.load32_splat(constants, 16));
  p = madd(p, f, v128.load32_splat(constants, 12));
  p = madd(p, f, v128.load32_splat(constants, 8));
  // A product, not an addition of bits, so that a NaN cannot turn into a number.
  const power = f32x4.mul(p, i32x4.shl(t, 23));
  return v128.andnot(power, f32x4.lt(n, v128.load32_splat(constants, 4)));
}
