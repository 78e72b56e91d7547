// What the roofline times, in AssemblyScript and from the very kernels: compiled for each build.
// Memory from `at` on is the caller's.

import { scoreTile, valueTile } from "../../assembly/attend/products";
import { madd } from "../../assembly/simd/lanes";
import { exponentiate } from "../../assembly/softmax/state";
import { KEYS, ROWS } from "../../assembly/tiles";

export function heapBase(): usize {
  return __heap_base;
}

/** Both products of one ROWS × KEYS tile of head size `depth`, in cache: 4·ROWS·KEYS·depth operations. */
export function tiles(at: usize, depth: i32, times: i32): void {
  const keys = at + ((<usize>ROWS * depth) << 2);
  const scores = keys + ((<usize>KEYS * depth) << 2);
  const output = scores + ((<usize>ROWS * KEYS) << 2);
  const panel = (<usize>KEYS) << 5;
  for (let i = 0; i < times; i++) {
    scoreTile(at, keys, depth, ROWS, KEYS, KEYS, scores);
    valueTile(scores, keys, panel, KEYS, ROWS, depth, KEYS, output, (<usize>depth) << 2);
  }
}

export function tileOperations(depth: i32): i32 {
  return 4 * ROWS * KEYS * depth;
}

/** e^x of KEYS scores in cache, each set anew. */
export function exponentials(at: usize, times: i32): f32 {
  let sum: f32 = 0;
  for (let i = 0; i < times; i++) {
    for (let j: usize = 0; j < (<usize>KEYS) << 2; j += 16) v128.store(at + j, f32x4.splat(-1));
    sum += exponentiate(at, KEYS, 0);
  }
  return sum;
}

export function exponentialsAtOnce(): i32 {
  return KEYS;
}

/** The tile's multiply-adds `times` times on registers alone: 64 operations each. */
export function multiplyAdds(times: i32): f32 {
  // Turned about each time, so that no product can be computed once for all.
  let a0 = f32x4.splat(0.999);
  let a1 = f32x4.splat(0.998);
  let a2 = f32x4.splat(0.997);
  let a3 = f32x4.splat(0.996);
  const b0 = f32x4.splat(0.001);
  const b1 = f32x4.splat(0.002);
  let s00 = f32x4.splat(1);
  let s01 = s00;
  let s10 = s00;
  let s11 = s00;
  let s20 = s00;
  let s21 = s00;
  let s30 = s00;
  let s31 = s00;
  for (let i = 0; i < times; i++) {
    s00 = madd(a0, b0, s00);
    s01 = madd(a0, b1, s01);
    s10 = madd(a1, b0, s10);
    s11 = madd(a1, b1, s11);
    s20 = madd(a2, b0, s20);
    s21 = madd(a2, b1, s21);
    s30 = madd(a3, b0, s30);
    s31 = madd(a3, b1, s31);
    const first = a0;
    a0 = a1;
    a1 = a2;
    a2 = a3;
    a3 = first;
  }
  const left = f32x4.add(f32x4.add(s00, s10), f32x4.add(s20, s30));
  const right = f32x4.add(f32x4.add(s01, s11), f32x4.add(s21, s31));
  return f32x4.extract_lane(f32x4.add(left, right), 0);
}

/** Reads `bytes` (a multiple of 128) once, front to back. */
export function read(at: usize, bytes: usize): f32 {
  let s0 = f32x4.splat(0);
  let s1 = s0;
  let s2 = s0;
  let s3 = s0;
  let s4 = s0;
  let s5 = s0;
  let s6 = s0;
  let s7 = s0;
  for (const end = at + bytes; at < end; at += 128) {
    s0 = v128.or(s0, v128.load(at));
    s1 = v128.or(s1, v128.load(at, 16));
    s2 = v128.or(s2, v128.load(at, 32));
    s3 = v128.or(s3, v128.load(at, 48));
    s4 = v128.or(s4, v128.load(at, 64));
    s5 = v128.or(s5, v128.load(at, 80));
    s6 = v128.or(s6, v128.load(at, 96));
    s7 = v128.or(s7, v128.load(at, 112));
  }
  s0 = v128.or(v128.or(s0, s1), v128.or(s2, s3));
  s4 = v128.or(v128.or(s4, s5), v128.or(s6, s7));
  return f32x4.extract_lane(v128.or(s0, s4), 0);
}
