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

/** Multiply-adds `times` times on registers alone: 192 operations each, twice in twelve chains. */
export function multiplyAdds(times: i32): f32 {
  // Each takes another's sum, so that no product can be computed once for all.
  const a = f32x4.splat(1e-9);
  let s0 = f32x4.splat(0);
  let s1 = f32x4.splat(1);
  let s2 = f32x4.splat(2);
  let s3 = f32x4.splat(3);
  let s4 = f32x4.splat(4);
  let s5 = f32x4.splat(5);
  let s6 = f32x4.splat(6);
  let s7 = f32x4.splat(7);
  let s8 = f32x4.splat(8);
  let s9 = f32x4.splat(9);
  let s10 = f32x4.splat(10);
  let s11 = f32x4.splat(11);
  for (let i = 0; i < times; i++) {
    s0 = madd(s1, a, s0);
    s1 = madd(s2, a, s1);
    s2 = madd(s3, a, s2);
    s3 = madd(s4, a, s3);
    s4 = madd(s5, a, s4);
    s5 = madd(s6, a, s5);
    s6 = madd(s7, a, s6);
    s7 = madd(s8, a, s7);
    s8 = madd(s9, a, s8);
    s9 = madd(s10, a, s9);
    s10 = madd(s11, a, s10);
    s11 = madd(s0, a, s11);
    s0 = madd(s1, a, s0);
    s1 = madd(s2, a, s1);
    s2 = madd(s3, a, s2);
    s3 = madd(s4, a, s3);
    s4 = madd(s5, a, s4);
    s5 = madd(s6, a, s5);
    s6 = madd(s7, a, s6);
    s7 = madd(s8, a, s7);
    s8 = madd(s9, a, s8);
    s9 = madd(s10, a, s9);
    s10 = madd(s11, a, s10);
    s11 = madd(s0, a, s11);
  }
  s0 = f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3));
  s4 = f32x4.add(f32x4.add(s4, s5), f32x4.add(s6, s7));
  s8 = f32x4.add(f32x4.add(s8, s9), f32x4.add(s10, s11));
  return f32x4.extract_lane(f32x4.add(s0, f32x4.add(s4, s8)), 0);
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
