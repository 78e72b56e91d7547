// tanh of four lanes: x·P(x²)/Q(x²), P of degree 6 and Q of degree 3, for |x| ≤ 7.90531, beyond which it is ±1 in
// float32. The coefficients are those of Eigen's generic_fast_tanh_float (Eigen/src/Core/MathFunctionsImpl.h, P. Gonnet
// and G. Guennebaud), a rational minimax approximation. At most 6 ulp, and 2⁻²² from 1 at the ends. NaN stays NaN.

import { madd } from "./lanes";

const constants = memory.data<f32>([
  7.90531110763549805, 4.89352455891786e-3, 6.37261928875436e-4, 1.48572235717979e-5,
  5.12229709037114e-8, -8.60467152213735e-11, 2.00018790482477e-13, -2.76076847742355e-16,
  4.89352518554385e-3, 2.268434632439e-3, 1.18534705686654e-4, 1.19825839466702e-6,
]);

// @ts-ignore: decorator
@inline
function constant(index: usize): v128 {
  return v128.load32_splat(constants + (index << 2));
}

// @ts-ignore: decorator
@inline
export function tanh(given: v128): v128 {
  const most = constant(0);
  const x = f32x4.pmax(f32x4.pmin(given, most), f32x4.neg(most));
  const z = f32x4.mul(x, x);
  let p = madd(constant(7), z, constant(6));
  p = madd(p, z, constant(5));
  p = madd(p, z, constant(4));
  p = madd(p, z, constant(3));
  p = madd(p, z, constant(2));
  p = madd(p, z, constant(1));
  let q = madd(constant(11), z, constant(10));
  q = madd(q, z, constant(9));
  q = madd(q, z, constant(8));
  return f32x4.div(f32x4.mul(x, p), q);
}
