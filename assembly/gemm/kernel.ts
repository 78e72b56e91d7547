// The register block all products share: C[4×8] (+)= A[4×k] · B[k×8].
//
// A is either packed [k][4] or four rows at a stride of TILE_ROW bytes; B is packed [k][8]; C rows have a stride of
// cRow bytes. Sums run over k in order in chunks, one accumulator an element, and chunk after chunk is added
// to C: short sums round less than long ones (bench/NOTES.md). An element's bits depend on k alone, never
// on the block it fell into.

import { madd } from "../simd/lanes";
import { TILE_ROW } from "../tiles";

/** How a block is summed: the length of a chunk, and these. A constant at each call, folded when inlined. */
export const PACKED: i32 = 1 << 16; // A is packed
export const ADD: i32 = 1 << 17; // to what C holds

// @ts-ignore: decorator
@inline
export function multiply4x8(a: usize, b: usize, k: i32, c: usize, cRow: usize, form: i32): void {
  // A constant where this is inlined, unlike what depends on the chunk.
  const packed = (form & PACKED) != 0;
  const c1 = c + cRow;
  const c2 = c1 + cRow;
  const c3 = c2 + cRow;
  const end = b + ((<usize>k) << 5);
  const chunk = (<usize>(form & 0xffff)) << 5;
  let adding = (form & ADD) != 0;
  do {
    const next = min(b + chunk, end);
    let s00 = f32x4.splat(0);
    let s01 = f32x4.splat(0);
    let s10 = f32x4.splat(0);
    let s11 = f32x4.splat(0);
    let s20 = f32x4.splat(0);
    let s21 = f32x4.splat(0);
    let s30 = f32x4.splat(0);
    let s31 = f32x4.splat(0);
    while (b < next) {
      const b0 = v128.load(b);
      const b1 = v128.load(b, 16);
      const a0 = v128.load32_splat(a);
      s00 = madd(a0, b0, s00);
      s01 = madd(a0, b1, s01);
      const a1 = packed ? v128.load32_splat(a, 4) : v128.load32_splat(a, TILE_ROW);
      s10 = madd(a1, b0, s10);
      s11 = madd(a1, b1, s11);
      const a2 = packed ? v128.load32_splat(a, 8) : v128.load32_splat(a, 2 * TILE_ROW);
      s20 = madd(a2, b0, s20);
      s21 = madd(a2, b1, s21);
      const a3 = packed ? v128.load32_splat(a, 12) : v128.load32_splat(a, 3 * TILE_ROW);
      s30 = madd(a3, b0, s30);
      s31 = madd(a3, b1, s31);
      a += packed ? 16 : 4;
      b += 32;
    }
    if (adding) {
      s00 = f32x4.add(s00, v128.load(c));
      s01 = f32x4.add(s01, v128.load(c, 16));
      s10 = f32x4.add(s10, v128.load(c1));
      s11 = f32x4.add(s11, v128.load(c1, 16));
      s20 = f32x4.add(s20, v128.load(c2));
      s21 = f32x4.add(s21, v128.load(c2, 16));
      s30 = f32x4.add(s30, v128.load(c3));
      s31 = f32x4.add(s31, v128.load(c3, 16));
    }
    v128.store(c, s00);
    v128.store(c, s01, 16);
    v128.store(c1, s10);
    v128.store(c1, s11, 16);
    v128.store(c2, s20);
    v128.store(c2, s21, 16);
    v128.store(c3, s30);
    v128.store(c3, s31, 16);
    adding = true;
  } while (b < end);
}

/**
 * One row of A, a number every `step` bytes, over four panels of B, each `apart` panels after the last, and as many
 * columns of C: C[4×8] += A[1×k] · B[4×k×8]. An element's bits are those of multiply4x8 with k in one chunk.
 */
export function multiply1x32(
  a: usize,
  step: usize,
  b: usize,
  apart: usize,
  k: i32,
  c: usize,
): void {
  const panel = apart * ((<usize>k) << 5);
  const b1 = b + panel;
  const b2 = b1 + panel;
  const b3 = b2 + panel;
  let s0 = f32x4.splat(0);
  let s1 = f32x4.splat(0);
  let s2 = f32x4.splat(0);
  let s3 = f32x4.splat(0);
  let s4 = f32x4.splat(0);
  let s5 = f32x4.splat(0);
  let s6 = f32x4.splat(0);
  let s7 = f32x4.splat(0);
  for (let at: usize = 0; at < (<usize>k) << 5; at += 32) {
    const x = v128.load32_splat(a);
    s0 = madd(x, v128.load(b + at), s0);
    s1 = madd(x, v128.load(b + at, 16), s1);
    s2 = madd(x, v128.load(b1 + at), s2);
    s3 = madd(x, v128.load(b1 + at, 16), s3);
    s4 = madd(x, v128.load(b2 + at), s4);
    s5 = madd(x, v128.load(b2 + at, 16), s5);
    s6 = madd(x, v128.load(b3 + at), s6);
    s7 = madd(x, v128.load(b3 + at, 16), s7);
    a += step;
  }
  const columns = apart << 5;
  addEight(c, s0, s1);
  addEight(c + columns, s2, s3);
  addEight(c + 2 * columns, s4, s5);
  addEight(c + 3 * columns, s6, s7);
}

// @ts-ignore: decorator
@inline
function addEight(c: usize, low: v128, high: v128): void {
  v128.store(c, f32x4.add(low, v128.load(c)));
  v128.store(c, f32x4.add(high, v128.load(c, 16)), 16);
}
