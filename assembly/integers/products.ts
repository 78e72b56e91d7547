// The products of a tile in integers of 16 bits, four rows by eight columns at a time, sums exact:
//
//   scoreTile   s_ij = (q̂_i · k̂_j) · s_j · s_i
//   valueTile   o_ic += (Σ_j ŵ_ij · v̂_jc) · u_i
//
// A rows lie `aRow` bytes apart; B is [pairs][8][2]. Which rows see which keys as in gemm/products.ts.

import { REGISTER_COLUMNS, REGISTER_ROWS, TILE_ROW } from "../tiles";


@unmanaged
export class IntegerProduct {
  a: usize = 0;
  aRow: usize = 0;
  b: usize = 0;
  /** Bytes of eight columns. */
  panel: usize = 0;
  c: usize = 0;
  cRow: usize = 0;
  rows: i32 = 0;
  columns: i32 = 0;
  /** Numbers that are summed over. */
  depth: i32 = 0;
  reach: i32 = 0;
  /** float32 of each row, and of each column. */
  rowScales: usize = 0;
  columnScales: usize = 0;
}

export function scoreTile(p: IntegerProduct): void {
  const pairs = (p.depth + 1) >> 1;
  let b = p.b;
  for (let j = 0; j < p.columns; j += REGISTER_COLUMNS) {
    const first = max(j + 1 - p.reach, 0) & ~(REGISTER_ROWS - 1);
    const scales = p.columnScales + ((<usize>j) << 2);
    for (let i = first; i < p.rows; i += REGISTER_ROWS) {
      const c = p.c + ((<usize>j) << 2) + <usize>i * TILE_ROW;
      multiply4x8(p, i, b, pairs, c, scales);
    }
    b += p.panel;
  }
}

export function valueTile(p: IntegerProduct): void {
  let b = p.b;
  for (let j = 0; j < p.columns; j += REGISTER_COLUMNS) {
    for (let i = 0; i < p.rows; i += REGISTER_ROWS) {
      const seen = max(min(p.reach + i + REGISTER_ROWS - 1, p.depth), 0);
      const c = p.c + ((<usize>j) << 2) + <usize>i * p.cRow;
      if (seen) multiply4x8(p, i, b, (seen + 1) >> 1, c, 0);
    }
    b += p.panel;
  }
}

/** A block of scores where there are scales of columns, else added to the output. */
// @ts-ignore: decorator
@inline
function multiply4x8(
  p: IntegerProduct,
  i: i32,
  b: usize,
  pairs: i32,
  c: usize,
  scales: usize,
): void {
  const aRow = p.aRow;
  let a = p.a + <usize>i * aRow;
  const a1 = aRow;
  const a2 = aRow << 1;
  const a3 = a1 + a2;
  let s00 = i32x4.splat(0);
  let s01 = s00;
  let s10 = s00;
  let s11 = s00;
  let s20 = s00;
  let s21 = s00;
  let s30 = s00;
  let s31 = s00;
  const end = b + ((<usize>pairs) << 5);
  for (; b < end; a += 4, b += 32) {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    let v = v128.load32_splat(a);
    s00 = add(s00, b0, v);
    s01 = add(s01, b1, v);
    v = v128.load32_splat(a + a1);
    s10 = add(s10, b0, v);
    s11 = add(s11, b1, v);
    v = v128.load32_splat(a + a2);
    s20 = add(s20, b0, v);
    s21 = add(s21, b1, v);
    v = v128.load32_splat(a + a3);
    s30 = add(s30, b0, v);
    s31 = add(s31, b1, v);
  }
  const rows = p.rowScales + ((<usize>i) << 2);
  const cRow = scales ? TILE_ROW : p.cRow;
  storeRow(c, s00, s01, v128.load32_splat(rows), scales);
  c += cRow;
  storeRow(c, s10, s11, v128.load32_splat(rows, 4), scales);
  c += cRow;
  storeRow(c, s20, s21, v128.load32_splat(rows, 8), scales);
  c += cRow;
  storeRow(c, s30, s31, v128.load32_splat(rows, 12), scales);
}

// @ts-ignore: decorator
@inline
function add(sum: v128, numbers: v128, x: v128): v128 {
  return i32x4.add(sum, i32x4.dot_i16x8_s(numbers, x));
}

// @ts-ignore: decorator
@inline
function storeRow(c: usize, low: v128, high: v128, row: v128, scales: usize): void {
  const a = f32x4.convert_i32x4_s(low);
  const b = f32x4.convert_i32x4_s(high);
  if (scales) {
    v128.store(c, f32x4.mul(f32x4.mul(a, v128.load(scales)), row));
    v128.store(c, f32x4.mul(f32x4.mul(b, v128.load(scales, 16)), row), 16);
  } else {
    v128.store(c, f32x4.add(v128.load(c), f32x4.mul(a, row)));
    v128.store(c, f32x4.add(v128.load(c, 16), f32x4.mul(b, row)), 16);
  }
}
