// One row's softmax, computed while its scores arrive tile by tile.
//
// State (m, l): m the largest score so far, l = Σ e^(s − m). A tile moves it by
//   m′ = max(m, max s),  α = e^(m − m′),  l′ = α·l + Σ e^(s − m′)
// and everything summed under the old maximum is multiplied by α
// (Milakov & Gimelshein 2018, "Online normalizer calculation for softmax").
// The largest weight is exactly 1, however large the scores.

import { exp, expSixteen } from "../simd/exp";
import { larger, maxLanes, sumLanes } from "../simd/lanes";

/** What is subtracted: a row that has seen no key yet (m = −∞) subtracts 0, since −∞ − −∞ is NaN. */
// @ts-ignore: decorator
@inline
export function baseOf(m: f32): f32 {
  return m == -(<f32>Infinity) ? 0 : m;
}

/** Largest of `count` scores, a multiple of 8. */
export function rowMaximum(scores: usize, count: i32): f32 {
  let m0 = f32x4.splat(-(<f32>Infinity));
  let m1 = m0;
  const end = scores + ((<usize>count) << 2);
  for (; scores < end; scores += 32) {
    m0 = larger(m0, v128.load(scores));
    m1 = larger(m1, v128.load(scores, 16));
  }
  return maxLanes(larger(m0, m1));
}

/** Replaces `count` scores (a multiple of 8) by e^(s − base) and returns their sum. */
export function exponentiate(scores: usize, count: i32, base: f32): f32 {
  const b = f32x4.splat(base);
  let sum0 = f32x4.splat(0);
  let sum1 = sum0;
  let sum2 = sum0;
  let sum3 = sum0;
  const end = scores + ((<usize>count) << 2);
  const end16 = scores + ((<usize>(count & ~15)) << 2);
  for (; scores < end16; scores += 64) {
    expSixteen(scores, b);
    sum0 = f32x4.add(sum0, v128.load(scores));
    sum1 = f32x4.add(sum1, v128.load(scores, 16));
    sum2 = f32x4.add(sum2, v128.load(scores, 32));
    sum3 = f32x4.add(sum3, v128.load(scores, 48));
  }
  if (scores < end) {
    const p0 = exp(f32x4.sub(v128.load(scores), b));
    const p1 = exp(f32x4.sub(v128.load(scores, 16), b));
    v128.store(scores, p0);
    v128.store(scores, p1, 16);
    sum0 = f32x4.add(sum0, p0);
    sum1 = f32x4.add(sum1, p1);
  }
  return sumLanes(f32x4.add(f32x4.add(sum0, sum2), f32x4.add(sum1, sum3)));
}

/** e^(m − base) of one number: the factor α of a row. */
export function rescaling(m: f32, base: f32): f32 {
  return f32x4.extract_lane(exp(f32x4.splat(m - base)), 0);
}

/** Natural logarithm of Σ e^score, from the state; −∞ for a row that saw nothing. */
export function logSumExp(m: f32, l: f32): f32 {
  if (l == 0) return -(<f32>Infinity);
  return <f32>(<f64>m + <f64>Mathf.log(l));
}
