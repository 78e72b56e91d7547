// One row by 32 columns of float16 or bfloat16, made float32 in registers: c [32] += x [k] · W [k × 32]. An
// element's bits are those of gemm/kernel.ts, whose one row this is.

import { WeightNumbers } from "../kinds";
import { madd } from "../simd/lanes";
import { floatsOf } from "./unpack";

export function multiplyHalves(
  numbers: i32,
  x: usize,
  w: usize,
  panel: usize,
  k: i32,
  c: usize,
): void {
  if (numbers == WeightNumbers.bfloat16) {
    multiply1x32(WeightNumbers.bfloat16, x, w, panel, k, c);
  } else multiply1x32(WeightNumbers.float16, x, w, panel, k, c);
}

/** x is packed [k][4], its first row is read; W four panels [k][8] `panel` bytes apart. */
// @ts-ignore: decorator
@inline
function multiply1x32(numbers: i32, x: usize, w: usize, panel: usize, k: i32, c: usize): void {
  const w1 = w + panel;
  const w2 = w1 + panel;
  const w3 = w2 + panel;
  let s0 = f32x4.splat(0);
  let s1 = s0;
  let s2 = s0;
  let s3 = s0;
  let s4 = s0;
  let s5 = s0;
  let s6 = s0;
  let s7 = s0;
  for (let at: usize = 0; at < (<usize>k) << 4; at += 16) {
    const a = v128.load32_splat(x + at);
    s0 = madd(a, floatsOf(numbers, v128.load_ext<u16>(w + at)), s0);
    s1 = madd(a, floatsOf(numbers, v128.load_ext<u16>(w + at, 8)), s1);
    s2 = madd(a, floatsOf(numbers, v128.load_ext<u16>(w1 + at)), s2);
    s3 = madd(a, floatsOf(numbers, v128.load_ext<u16>(w1 + at, 8)), s3);
    s4 = madd(a, floatsOf(numbers, v128.load_ext<u16>(w2 + at)), s4);
    s5 = madd(a, floatsOf(numbers, v128.load_ext<u16>(w2 + at, 8)), s5);
    s6 = madd(a, floatsOf(numbers, v128.load_ext<u16>(w3 + at)), s6);
    s7 = madd(a, floatsOf(numbers, v128.load_ext<u16>(w3 + at, 8)), s7);
  }
  v128.store(c, f32x4.add(s0, v128.load(c)));
  v128.store(c, f32x4.add(s1, v128.load(c, 16)), 16);
  v128.store(c, f32x4.add(s2, v128.load(c, 32)), 32);
  v128.store(c, f32x4.add(s3, v128.load(c, 48)), 48);
  v128.store(c, f32x4.add(s4, v128.load(c, 64)), 64);
  v128.store(c, f32x4.add(s5, v128.load(c, 80)), 80);
  v128.store(c, f32x4.add(s6, v128.load(c, 96)), 96);
  v128.store(c, f32x4.add(s7, v128.load(c, 112)), 112);
}
