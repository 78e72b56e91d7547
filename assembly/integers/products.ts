// The products of a tile in integers, of 16 bits or of bytes, four rows by eight columns at a time, or six where
// a product is one instruction and its loads are what takes long; sums exact:
//
//   scores   s_ij = (q̂_i · k̂_j) · s_j · s_i + o_i
//   values   y_ic += (Σ_j ŵ_ij · v̂_jc) · u_i · g_c + (Σ_j w_ij) · ν_c
//
// Integers of 16 bits are as they are: no o, g and ν. A is of 0 to 127 where it is of bytes. B is
// [units][8][u], u numbers in the four bytes of a unit; A of scores [⌈rows/4⌉][units][4][u], but in one instruction
// rows `aRow` bytes apart; of values, weights, rows of KEYS numbers. Which rows see which keys as in gemm/products.ts.

import { addProducts, ByteForm, onesOf } from "../simd/bytes";
import { KEYS, REGISTER_COLUMNS, REGISTER_ROWS } from "../tiles";


@unmanaged
export class IntegerProduct {
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
  /** float32 of each row: a factor, and o or Σ w, or 0 where there are none. */
  rowScales: usize = 0;
  rowOffsets: usize = 0;
  /** And of each column: a factor, and ν. */
  columnScales: usize = 0;
  columnOffsets: usize = 0;
  /** int32 of each column of scores, with which its sums begin; or 0. */
  columnSums: usize = 0;
}

export const PRODUCT_BYTES: usize = 128;

/** How a block is multiplied: a ByteForm, and these. A constant at each call, folded when inlined. */
const VALUES: i32 = 1 << 8; // not scores
const SIX: i32 = 1 << 9; // rows

/**
 * In a product's form: a function for each, whose instructions are known when it is compiled. Inlined twice, or
 * the optimiser would put the three together again.
 */
// @ts-ignore: decorator
@inline
export function multiplyScores(p: IntegerProduct): void {
  if (p.form == ByteForm.one) scoresByOne(p);
  else if (p.form == ByteForm.two) scoresByTwo(p);
  else scoresOfWords(p);
}

// @ts-ignore: decorator
@inline
export function multiplyValues(p: IntegerProduct): void {
  if (p.form == ByteForm.one) valuesByOne(p);
  else if (p.form == ByteForm.two) valuesByTwo(p);
  else valuesOfWords(p);
}

function scoresByOne(p: IntegerProduct): void {
  multiply(p, ByteForm.one);
}

function scoresByTwo(p: IntegerProduct): void {
  multiply(p, ByteForm.two);
}

export function scoresOfWords(p: IntegerProduct): void {
  multiply(p, ByteForm.words);
}

function valuesByOne(p: IntegerProduct): void {
  multiply(p, ByteForm.one | VALUES);
}

function valuesByTwo(p: IntegerProduct): void {
  multiply(p, ByteForm.two | VALUES);
}

export function valuesOfWords(p: IntegerProduct): void {
  multiply(p, ByteForm.words | VALUES);
}

// @ts-ignore: decorator
@inline
function byteFormOf(form: i32): ByteForm {
  return <ByteForm>(form & 3);
}

/** Units of four bytes that are summed over for rows up to `last`: weights of keys that they do not see are 0. */
// @ts-ignore: decorator
@inline
function unitsTo(p: IntegerProduct, last: i32, form: i32): i32 {
  const count = form & VALUES ? max(min(p.reach + last, p.depth), 0) : p.depth;
  return byteFormOf(form) == ByteForm.words ? (count + 1) >> 1 : (count + 3) >> 2;
}

// @ts-ignore: decorator
@inline
function multiply(p: IntegerProduct, form: i32): void {
  let b = p.b;
  for (let j = 0; j < p.columns; j += REGISTER_COLUMNS) {
    let i = form & VALUES ? 0 : max(j + 1 - p.reach, 0) & ~(REGISTER_ROWS - 1);
    if (byteFormOf(form) == ByteForm.one) {
      for (; sixOf(i, p.rows); i += 6) {
        multiplyBlock(p, i, j, b, unitsTo(p, i + 5, form), form | SIX);
      }
    }
    for (; i < p.rows; i += REGISTER_ROWS) {
      multiplyBlock(p, i, j, b, unitsTo(p, i + REGISTER_ROWS - 1, form), form);
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

/** Four or six rows from i on by columns j to j + 7, packed at `b`. */
// @ts-ignore: decorator
@inline
function multiplyBlock(p: IntegerProduct, i: i32, j: i32, b: usize, units: i32, form: i32): void {
  // Constants where this is inlined.
  const kind = byteFormOf(form);
  const six = (form & SIX) != 0;
  const weights = (form & VALUES) != 0;
  const packed = !weights && kind != ByteForm.one;
  const words = kind == ByteForm.words;
  const ones = onesOf(kind);
  const aRow = p.aRow;
  let a = p.a + <usize>i * aRow;
  const column = (<usize>j) << 2;
  let s00 = i32x4.splat(0);
  let s01 = s00;
  if (!weights && p.columnSums) {
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
  for (; b < end; b += 32) {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    let x = v128.load32_splat(a);
    s00 = addProducts(s00, b0, x, kind, ones);
    s01 = addProducts(s01, b1, x, kind, ones);
    if (packed) x = v128.load32_splat(a, 4);
    else if (!weights) x = v128.load32_splat(a + aRow);
    else x = words ? v128.load32_splat(a, 2 * KEYS) : v128.load32_splat(a, KEYS);
    s10 = addProducts(s10, b0, x, kind, ones);
    s11 = addProducts(s11, b1, x, kind, ones);
    if (packed) x = v128.load32_splat(a, 8);
    else if (!weights) x = v128.load32_splat(a + 2 * aRow);
    else x = words ? v128.load32_splat(a, 4 * KEYS) : v128.load32_splat(a, 2 * KEYS);
    s20 = addProducts(s20, b0, x, kind, ones);
    s21 = addProducts(s21, b1, x, kind, ones);
    if (packed) x = v128.load32_splat(a, 12);
    else if (!weights) x = v128.load32_splat(a + 3 * aRow);
    else x = words ? v128.load32_splat(a, 6 * KEYS) : v128.load32_splat(a, 3 * KEYS);
    s30 = addProducts(s30, b0, x, kind, ones);
    s31 = addProducts(s31, b1, x, kind, ones);
    if (six) {
      x = weights ? v128.load32_splat(a, 4 * KEYS) : v128.load32_splat(a + 4 * aRow);
      s40 = addProducts(s40, b0, x, kind, ones);
      s41 = addProducts(s41, b1, x, kind, ones);
      x = weights ? v128.load32_splat(a, 5 * KEYS) : v128.load32_splat(a + 5 * aRow);
      s50 = addProducts(s50, b0, x, kind, ones);
      s51 = addProducts(s51, b1, x, kind, ones);
    }
    a += packed ? 16 : 4;
  }
  storeRow(p, i, column, s00, s01, weights);
  storeRow(p, i + 1, column, s10, s11, weights);
  storeRow(p, i + 2, column, s20, s21, weights);
  storeRow(p, i + 3, column, s30, s31, weights);
  if (!six) return;
  storeRow(p, i + 4, column, s40, s41, weights);
  storeRow(p, i + 5, column, s50, s51, weights);
}

// @ts-ignore: decorator
@inline
function storeRow(
  p: IntegerProduct,
  i: usize,
  column: usize,
  low: v128,
  high: v128,
  weights: bool,
): void {
  const row = v128.load32_splat(p.rowScales + (i << 2));
  let a = f32x4.convert_i32x4_s(low);
  let b = f32x4.convert_i32x4_s(high);
  const c = p.c + column + i * p.cRow;
  if (!weights) {
    const scales = p.columnScales + column;
    a = f32x4.mul(f32x4.mul(a, v128.load(scales)), row);
    b = f32x4.mul(f32x4.mul(b, v128.load(scales, 16)), row);
    if (p.rowOffsets) {
      const offset = v128.load32_splat(p.rowOffsets + (i << 2));
      a = f32x4.add(a, offset);
      b = f32x4.add(b, offset);
    }
    v128.store(c, a);
    v128.store(c, b, 16);
    return;
  }
  a = f32x4.mul(a, row);
  b = f32x4.mul(b, row);
  if (p.rowOffsets) {
    const offset = v128.load32_splat(p.rowOffsets + (i << 2));
    const scales = p.columnScales + column;
    const means = p.columnOffsets + column;
    a = f32x4.add(f32x4.mul(a, v128.load(scales)), f32x4.mul(offset, v128.load(means)));
    b = f32x4.add(f32x4.mul(b, v128.load(scales, 16)), f32x4.mul(offset, v128.load(means, 16)));
  }
  v128.store(c, f32x4.add(v128.load(c), a));
  v128.store(c, f32x4.add(v128.load(c, 16), b), 16);
}
