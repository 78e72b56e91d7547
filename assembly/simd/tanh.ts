// tanh of four lanes, for the soft cap.
//
//   |x| < 0.625:  x + x³·P(x²), P of degree 4 (Cephes, tanhf.c)
//   otherwise:    ±(1 − e)/(1 + e), e = e^(−2|x|)
//
// At most 3 ulp of error, relative also for small x; ±1 exactly from |x| = 9.1. NaN stays NaN.

import { exp } from "./exp";
import { madd } from "./lanes";

const constants = memory.data<f32>([
  0.625, -2.0, -3.33332819422e-1, 1.33314422036e-1, -5.37397155531e-2, 2.06390887954e-2,
  -5.70498872745e-3,
]);

// @ts-ignore: decorator
@inline
export function tanh4(x: v128): v128 {
  const magnitude = f32x4.abs(x);
  const e = exp(f32x4.mul(magnitude, v128.load32_splat(constants, 4)));
  const one = f32x4.splat(1);
  const ratio = f32x4.div(f32x4.sub(one, e), f32x4.add(one, e));
  const large = v128.bitselect(x, ratio, i32x4.splat(0x80000000)); // the sign of x

  const z = f32x4.mul(x, x);
  let p = v128.load32_splat(constants, 24);
  p = madd(p, z, v128.load32_splat(constants, 20));
  p = madd(p, z, v128.load32_splat(constants, 16));
  p = madd(p, z, v128.load32_splat(constants, 12));
  p = madd(p, z, v128.load32_splat(constants, 8));
  const small = madd(f32x4.mul(p, z), x, x);
  return v128.bitselect(small, large, f32x4.lt(magnitude, v128.load32_splat(constants)));
}
