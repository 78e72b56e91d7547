// The products of a tile in bytes, four rows by eight columns at a time, or six where a product is one
// instruction and its loads are what takes long; sums exact:
//
//   scores   s_ij = (q̂_i · k̂_j) · s_j · s_i + o_i
//   values   y_ic += (Σ_j ŵ_ij · v̂_jc) · u_i · g_c + (Σ_j w_ij) · ν_c
//
// A rows lie `aRow` bytes apart, of 0 to 127; B is [units][8][u], u numbers in the four bytes of a unit. Which
// rows see which keys as in gemm/products.ts.

import { addProducts, ByteForm } from "../../simd/bytes";
import { REGISTER_COLUMNS, REGISTER_ROWS } from "../../tiles";


@unmanaged
export class ByteProduct {
  form: ByteForm = ByteForm.words;
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
  /** float32 of each row: a factor, and o or Σ w. */
  rowScales: usize = 0;
  rowOffsets: usize = 0;
  /** And of each column: a factor, and ν. */
  columnScales: usize = 0;
  columnOffsets: usize = 0;
  /** int32 of each column, with which its sums begin; 0 for the product with values. */
  columnSums: usize = 0;
}

/**
 * In a product's form: a function for each, whose instructions are known when it is compiled. Inlined twice, or
 * the optimiser would put the three together again.
 */
// @ts-ignore: decorator
@inline
export function multiplyBytes(p: ByteProduct): void {
  if (p.form == ByteForm.one) multiplyByOne(p);
  else if (p.form == ByteForm.two) multiplyByTwo(p);
  else multiplyWords(p);
}

function multiplyByOne(p: ByteProduct): void {
  multiply(p, ByteForm.one);
}

function multiplyByTwo(p: ByteProduct): void {
  multiply(p, ByteForm.two);
}

function multiplyWords(p: ByteProduct): void {
  multiply(p, ByteForm.words);
}

/** Units of four bytes that `count` numbers take. */
// @ts-ignore: decorator
@inline
function unitsOf(count: i32, form: ByteForm): i32 {
  return form == ByteForm.words ? (count + 1) >> 1 : (count + 3) >> 2;
}

/** Units that are summed over for rows up to `last`: weights of keys that they do not see are 0. */
// @ts-ignore: decorator
@inline
function unitsTo(p: ByteProduct, last: i32, form: ByteForm): i32 {
  return unitsOf(p.columnSums ? p.depth : max(min(p.reach + last, p.depth), 0), form);
}

// @ts-ignore: decorator
@inline
function multiply(p: ByteProduct, form: ByteForm): void {
  let b = p.b;
  for (let j = 0; j < p.columns; j += REGISTER_COLUMNS) {
    let i = p.columnSums ? max(j + 1 - p.reach, 0) & ~(REGISTER_ROWS - 1) : 0;
    if (form == ByteForm.one) {
      for (; sixOf(i, p.rows); i += 6) multiply6x8(p, i, j, b, unitsTo(p, i + 5, form));
    }
    for (; i < p.rows; i += REGISTER_ROWS) {
      multiply4x8(p, i, j, b, unitsTo(p, i + REGISTER_ROWS - 1, form), form);
    }
    b += p.panel;
  }
}

/** Whether six rows from i on leave blocks of six and four to the end of `rows`, in whole fours. */
// @ts-ignore: decorator
@inline
function sixOf(i: i32, rows: i32): bool {
  const left = ((rows + REGISTER_ROWS - 1) & ~(REGISTER_ROWS - 1)) - i;
  return left >= 6 && left != 8;
}

/** Rows i to i + 3 by columns j to j + 7, packed at `b`. */
// @ts-ignore: decorator
@inline
function multiply4x8(p: ByteProduct, i: i32, j: i32, b: usize, units: i32, form: ByteForm): void {
  const aRow = p.aRow;
  let a = p.a + <usize>i * aRow;
  const a1 = aRow;
  const a2 = aRow << 1;
  const a3 = a1 + a2;
  const column = (<usize>j) << 2;
  let s00 = i32x4.splat(0);
  let s01 = s00;
  if (p.columnSums) {
    s00 = v128.load(p.columnSums + column);
    s01 = v128.load(p.columnSums + column, 16);
  }
  let s10 = s00;
  let s11 = s01;
  let s20 = s00;
  let s21 = s01;
  let s30 = s00;
  let s31 = s01;
  const end = b + ((<usize>units) << 5);
  for (; b < end; a += 4, b += 32) {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    let x = v128.load32_splat(a);
    s00 = addProducts(s00, b0, x, form);
    s01 = addProducts(s01, b1, x, form);
    x = v128.load32_splat(a + a1);
    s10 = addProducts(s10, b0, x, form);
    s11 = addProducts(s11, b1, x, form);
    x = v128.load32_splat(a + a2);
    s20 = addProducts(s20, b0, x, form);
    s21 = addProducts(s21, b1, x, form);
    x = v128.load32_splat(a + a3);
    s30 = addProducts(s30, b0, x, form);
    s31 = addProducts(s31, b1, x, form);
  }
  storeRow(p, i, column, s00, s01);
  storeRow(p, i + 1, column, s10, s11);
  storeRow(p, i + 2, column, s20, s21);
  storeRow(p, i + 3, column, s30, s31);
}

/** Rows i to i + 5, in one instruction a product. */
// @ts-ignore: decorator
@inline
function multiply6x8(p: ByteProduct, i: i32, j: i32, b: usize, units: i32): void {
  const aRow = p.aRow;
  let a = p.a + <usize>i * aRow;
  const a2 = aRow << 1;
  const a3 = aRow + a2;
  const a4 = aRow << 2;
  const a5 = aRow + a4;
  const column = (<usize>j) << 2;
  let s00 = i32x4.splat(0);
  let s01 = s00;
  if (p.columnSums) {
    s00 = v128.load(p.columnSums + column);
    s01 = v128.load(p.columnSums + column, 16);
  }
  let s10 = s00;
  let s11 = s01;
  let s20 = s00;
  let s21 = s01;
  let s30 = s00;
  let s31 = s01;
  let s40 = s00;
  let s41 = s01;
  let s50 = s00;
  let s51 = s01;
  const end = b + ((<usize>units) << 5);
  for (; b < end; a += 4, b += 32) {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    let x = v128.load32_splat(a);
    s00 = addProducts(s00, b0, x, ByteForm.one);
    s01 = addProducts(s01, b1, x, ByteForm.one);
    x = v128.load32_splat(a + aRow);
    s10 = addProducts(s10, b0, x, ByteForm.one);
    s11 = addProducts(s11, b1, x, ByteForm.one);
    x = v128.load32_splat(a + a2);
    s20 = addProducts(s20, b0, x, ByteForm.one);
    s21 = addProducts(s21, b1, x, ByteForm.one);
    x = v128.load32_splat(a + a3);
    s30 = addProducts(s30, b0, x, ByteForm.one);
    s31 = addProducts(s31, b1, x, ByteForm.one);
    x = v128.load32_splat(a + a4);
    s40 = addProducts(s40, b0, x, ByteForm.one);
    s41 = addProducts(s41, b1, x, ByteForm.one);
    x = v128.load32_splat(a + a5);
    s50 = addProducts(s50, b0, x, ByteForm.one);
    s51 = addProducts(s51, b1, x, ByteForm.one);
  }
  storeRow(p, i, column, s00, s01);
  storeRow(p, i + 1, column, s10, s11);
  storeRow(p, i + 2, column, s20, s21);
  storeRow(p, i + 3, column, s30, s31);
  storeRow(p, i + 4, column, s40, s41);
  storeRow(p, i + 5, column, s50, s51);
}

// @ts-ignore: decorator
@inline
function storeRow(p: ByteProduct, i: usize, column: usize, low: v128, high: v128): void {
  const row = v128.load32_splat(p.rowScales + (i << 2));
  const offset = v128.load32_splat(p.rowOffsets + (i << 2));
  const scales = p.columnScales + column;
  let a = f32x4.convert_i32x4_s(low);
  let b = f32x4.convert_i32x4_s(high);
  const c = p.c + column + i * p.cRow;
  if (p.columnSums) {
    a = f32x4.mul(f32x4.mul(a, v128.load(scales)), row);
    b = f32x4.mul(f32x4.mul(b, v128.load(scales, 16)), row);
    v128.store(c, f32x4.add(a, offset));
    v128.store(c, f32x4.add(b, offset), 16);
  } else {
    const means = p.columnOffsets + column;
    a = f32x4.mul(f32x4.mul(a, row), v128.load(scales));
    b = f32x4.mul(f32x4.mul(b, row), v128.load(scales, 16));
    a = f32x4.add(a, f32x4.mul(offset, v128.load(means)));
    b = f32x4.add(b, f32x4.mul(offset, v128.load(means, 16)));
    v128.store(c, f32x4.add(v128.load(c), a));
    v128.store(c, f32x4.add(v128.load(c, 16), b), 16);
  }
}
