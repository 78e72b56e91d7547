// What the roofline times, in AssemblyScript and from the very kernels: compiled for each build.
// Memory from `at` on is the caller's.

import { Product, scoreTile, valueTile } from "../../assembly/gemm/products";
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
  const p = changetype<Product>(output + ((<usize>ROWS * depth) << 2));
  p.rows = ROWS;
  p.b = keys;
  p.reach = KEYS;
  p.panel = KEYS;
  p.cRow = (<usize>depth) << 2;
  for (let i = 0; i < times; i++) {
    p.a = at;
    p.c = scores;
    p.columns = KEYS;
    p.depth = depth;
    scoreTile(p);
    p.a = scores;
    p.c = output;
    p.columns = depth;
    p.depth = KEYS;
    valueTile(p);
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

/**
 * s·x + y on registers alone, in twelve chains that each take their own sum as a factor: nothing
 * can be computed once for all, and no register is copied. x and y come from outside because V8 12
 * and later make constants anew at each use, a move from the integer side that costs more than the
 * multiply-add: 16 instead of 66 GFLOP/s on Node 24.
 */
export function multiplyAdds(times: i32, x: f32, y: f32): f32 {
  const a = f32x4.splat(x);
  const b = f32x4.splat(y);
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
    for (let j = 0; j < 100; j++) {
      s0 = madd(s0, a, b);
      s1 = madd(s1, a, b);
      s2 = madd(s2, a, b);
      s3 = madd(s3, a, b);
      s4 = madd(s4, a, b);
      s5 = madd(s5, a, b);
      s6 = madd(s6, a, b);
      s7 = madd(s7, a, b);
      s8 = madd(s8, a, b);
      s9 = madd(s9, a, b);
      s10 = madd(s10, a, b);
      s11 = madd(s11, a, b);
      s0 = madd(s0, a, b);
      s1 = madd(s1, a, b);
      s2 = madd(s2, a, b);
      s3 = madd(s3, a, b);
      s4 = madd(s4, a, b);
      s5 = madd(s5, a, b);
      s6 = madd(s6, a, b);
      s7 = madd(s7, a, b);
      s8 = madd(s8, a, b);
      s9 = madd(s9, a, b);
      s10 = madd(s10, a, b);
      s11 = madd(s11, a, b);
    }
  }
  s0 = f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3));
  s4 = f32x4.add(f32x4.add(s4, s5), f32x4.add(s6, s7));
  s8 = f32x4.add(f32x4.add(s8, s9), f32x4.add(s10, s11));
  return f32x4.extract_lane(f32x4.add(s0, f32x4.add(s4, s8)), 0);
}

/** Of one of its `times`: 100 × 24 multiply-adds of four lanes. */
export function multiplyAddOperations(): i32 {
  return 100 * 24 * 8;
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
