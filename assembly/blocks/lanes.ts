// Four floats at a time, and the one to three that are left at a row's end.

import { sumLanes } from "../simd/lanes";

/** The floats at `at`, of which `left` are there; 0 for what is missing. */
// @ts-ignore: decorator
@inline
export function loadLanes(at: usize, left: i32): v128 {
  return left >= 4 ? v128.load(at) : loadFew(at, left);
}

// @ts-ignore: decorator
@inline
export function storeLanes(at: usize, v: v128, left: i32): void {
  if (left >= 4) v128.store(at, v);
  else storeFew(at, v, left);
}

function loadFew(at: usize, left: i32): v128 {
  let v = v128.load32_zero(at);
  if (left > 1) v = v128.load_lane<f32>(at, v, 1, 4);
  if (left > 2) v = v128.load_lane<f32>(at, v, 2, 8);
  return v;
}

function storeFew(at: usize, v: v128, left: i32): void {
  v128.store_lane<f32>(at, v, 0);
  if (left > 1) v128.store_lane<f32>(at, v, 1, 4);
  if (left > 2) v128.store_lane<f32>(at, v, 2, 8);
}

/** v in the first `left` lanes, 0 in those after. */
// @ts-ignore: decorator
@inline
export function firstLanes(v: v128, left: i32): v128 {
  return v128.and(v, i32x4.lt_s(i32x4(0, 1, 2, 3), i32x4.splat(left)));
}

/** Σ x over `count` floats: sixteen sums, added up in one order. */
export function sumOf(at: usize, count: i32): f32 {
  let s0 = f32x4.splat(0);
  let s1 = s0;
  let s2 = s0;
  let s3 = s0;
  let left = count;
  for (; left >= 16; left -= 16) {
    s0 = f32x4.add(s0, v128.load(at));
    s1 = f32x4.add(s1, v128.load(at, 16));
    s2 = f32x4.add(s2, v128.load(at, 32));
    s3 = f32x4.add(s3, v128.load(at, 48));
    at += 64;
  }
  for (; left > 0; left -= 4) {
    s0 = f32x4.add(s0, loadLanes(at, left));
    at += 16;
  }
  return sumLanes(f32x4.add(f32x4.add(s0, s2), f32x4.add(s1, s3)));
}

/** a + b, to `target`, and its Σ as sumOf gives it. */
export function sumOfBoth(a: usize, b: usize, target: usize, count: i32): f32 {
  let s0 = f32x4.splat(0);
  let s1 = s0;
  let s2 = s0;
  let s3 = s0;
  let left = count;
  let at: usize = 0;
  for (; left >= 16; left -= 16) {
    const x0 = f32x4.add(v128.load(a + at), v128.load(b + at));
    const x1 = f32x4.add(v128.load(a + at, 16), v128.load(b + at, 16));
    const x2 = f32x4.add(v128.load(a + at, 32), v128.load(b + at, 32));
    const x3 = f32x4.add(v128.load(a + at, 48), v128.load(b + at, 48));
    v128.store(target + at, x0);
    v128.store(target + at, x1, 16);
    v128.store(target + at, x2, 32);
    v128.store(target + at, x3, 48);
    s0 = f32x4.add(s0, x0);
    s1 = f32x4.add(s1, x1);
    s2 = f32x4.add(s2, x2);
    s3 = f32x4.add(s3, x3);
    at += 64;
  }
  for (; left > 0; left -= 4) {
    const x = f32x4.add(loadLanes(a + at, left), loadLanes(b + at, left));
    storeLanes(target + at, x, left);
    s0 = f32x4.add(s0, x);
    at += 16;
  }
  return sumLanes(f32x4.add(f32x4.add(s0, s2), f32x4.add(s1, s3)));
}

/** Σ (x − base)² over `count` floats, likewise. */
export function squaresOf(at: usize, count: i32, base: f32): f32 {
  const b = f32x4.splat(base);
  let s0 = f32x4.splat(0);
  let s1 = s0;
  let s2 = s0;
  let s3 = s0;
  let left = count;
  for (; left >= 16; left -= 16) {
    s0 = f32x4.add(s0, squared(f32x4.sub(v128.load(at), b)));
    s1 = f32x4.add(s1, squared(f32x4.sub(v128.load(at, 16), b)));
    s2 = f32x4.add(s2, squared(f32x4.sub(v128.load(at, 32), b)));
    s3 = f32x4.add(s3, squared(f32x4.sub(v128.load(at, 48), b)));
    at += 64;
  }
  for (; left > 0; left -= 4) {
    s0 = f32x4.add(s0, squared(firstLanes(f32x4.sub(loadLanes(at, left), b), left)));
    at += 16;
  }
  return sumLanes(f32x4.add(f32x4.add(s0, s2), f32x4.add(s1, s3)));
}

// @ts-ignore: decorator
@inline
function squared(v: v128): v128 {
  return f32x4.mul(v, v);
}
