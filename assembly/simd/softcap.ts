// c·tanh(s/c) of four lanes, for a soft cap c > 0. With x = s/c and e = e^(−2|x|):
//
//   |x| < 0.625:  s + s·x²·P(x²), P of degree 4 (Cephes, tanhf.c)
//   otherwise:    ±(c − c·2e/(1 + e))
//
// Both end in one sum whose second term is small, so that where scores come near the cap, and
// their differences decide, next to nothing but the last rounding is lost. At most 2.1 ulp;
// ±c exactly from |x| = 9.1. NaN stays NaN.

import { exp } from "./exp";
import { madd } from "./lanes";

const constants = memory.data<f32>([
  0.625, -2.0, -3.33332819422e-1, 1.33314422036e-1, -5.37397155531e-2, 2.06390887954e-2,
  -5.70498872745e-3,
]);

// @ts-ignore: decorator
@inline
export function softcap(s: v128, cap: v128): v128 {
  const x = f32x4.div(s, cap);
  const magnitude = f32x4.abs(x);
  const minusTwo = v128.load32_splat(constants, 4);
  const e = exp(f32x4.mul(magnitude, minusTwo));
  const share = f32x4.div(f32x4.mul(e, minusTwo), f32x4.add(e, f32x4.splat(1)));
  const near = madd(cap, share, cap);
  const large = v128.bitselect(s, near, i32x4.splat(0x80000000)); // the sign of s

  const z = f32x4.mul(x, x);
  let p = v128.load32_splat(constants, 24);
  p = madd(p, z, v128.load32_splat(constants, 20));
  p = madd(p, z, v128.load32_splat(constants, 16));
  p = madd(p, z, v128.load32_splat(constants, 12));
  p = madd(p, z, v128.load32_splat(constants, 8));
  const small = madd(f32x4.mul(p, z), s, s);
  return v128.bitselect(small, large, f32x4.lt(magnitude, v128.load32_splat(constants)));
}
