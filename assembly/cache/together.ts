// Four rows together with a tile that unpack.ts has made numbers of: four rows by two keys of scores, by eight
// columns of values, all sums in registers. The bits are those of rows by themselves (scores.ts, values.ts): a
// score's four lanes add up what they add up there, and sums of integers are exact.

import { ADD, multiply4x8 } from "../gemm/kernel";
import { NumbersKind } from "../kinds";
import { KEYS, REGISTER_COLUMNS, REGISTER_ROWS, TILE_ROW, VALUE_SUM } from "../tiles";
import { sumsOf } from "./scores";
import { Unpacked, valuePanel } from "./unpack";
import { Strip, Work, workOf } from "./work";

/** The scores of the tile's rows. A function for each kind, whose loop is known when it is compiled. */
export function scoreTogether(u: Unpacked, scores: usize): void {
  if (u.numbers == NumbersKind.int16) scoreSixteens(u, scores);
  else if (u.numbers == NumbersKind.int8) scoreEights(u, scores);
  else scoreFours(u, scores);
}

function scoreSixteens(u: Unpacked, scores: usize): void {
  scoreTile(u, scores, NumbersKind.int16);
}

function scoreEights(u: Unpacked, scores: usize): void {
  scoreTile(u, scores, NumbersKind.int8);
}

function scoreFours(u: Unpacked, scores: usize): void {
  scoreTile(u, scores, NumbersKind.int4);
}

// @ts-ignore: decorator
@inline
function scoreTile(u: Unpacked, scores: usize, numbers: i32): void {
  const pair = u.pair;
  let keys = u.keys;
  for (let j = 0; j < u.columns; j += REGISTER_COLUMNS) {
    const end = keys + <usize>((min(u.columns - j, REGISTER_COLUMNS) + 1) >> 1) * pair;
    const first = max(j + 1 - u.reach, 0) & ~(REGISTER_ROWS - 1);
    let queries = u.queries + <usize>(first / REGISTER_ROWS) * u.panel;
    let row = scores + ((<usize>j) << 2) + <usize>first * TILE_ROW;
    for (let i = first; i < u.rows; i += REGISTER_ROWS) {
      let target = row;
      for (let key = keys; key < end; key += pair) {
        if (numbers == NumbersKind.int4) scoreBlocks(queries, key, pair, target);
        else scorePair(queries, key, pair, target, numbers);
        target += 8;
      }
      queries += u.panel;
      row += TILE_ROW * REGISTER_ROWS;
    }
    keys = end;
  }
}

/** sum + a unit of a key by one of the query. */
// @ts-ignore: decorator
@inline
function add(sum: v128, key: v128, query: v128, numbers: i32): v128 {
  if (numbers == NumbersKind.int16) return f32x4.add(sum, f32x4.mul(key, query));
  return i32x4.add(sum, i32x4.dot_i16x8_s(key, query));
}

// @ts-ignore: decorator
@inline
function floats(sum: v128, numbers: i32): v128 {
  return numbers == NumbersKind.int16 ? sum : f32x4.convert_i32x4_s(sum);
}

// @ts-ignore: decorator
@inline
function scorePair(queries: usize, keys: usize, pair: usize, target: usize, numbers: i32): void {
  let s00 = i32x4.splat(0);
  let s01 = s00;
  let s10 = s00;
  let s11 = s00;
  let s20 = s00;
  let s21 = s00;
  let s30 = s00;
  let s31 = s00;
  let q = queries + 64;
  const end = keys + pair;
  for (let key = keys + 32; key < end; key += 32) {
    const k0 = v128.load(key);
    const k1 = v128.load(key, 16);
    let x = v128.load(q);
    s00 = add(s00, k0, x, numbers);
    s01 = add(s01, k1, x, numbers);
    x = v128.load(q, 16);
    s10 = add(s10, k0, x, numbers);
    s11 = add(s11, k1, x, numbers);
    x = v128.load(q, 32);
    s20 = add(s20, k0, x, numbers);
    s21 = add(s21, k1, x, numbers);
    x = v128.load(q, 48);
    s30 = add(s30, k0, x, numbers);
    s31 = add(s31, k1, x, numbers);
    q += 64;
  }
  const low = sumsOf(
    floats(s00, numbers),
    floats(s10, numbers),
    floats(s20, numbers),
    floats(s30, numbers),
  );
  const high = sumsOf(
    floats(s01, numbers),
    floats(s11, numbers),
    floats(s21, numbers),
    floats(s31, numbers),
  );
  storeScores(
    f32x4.mul(low, v128.load(keys)),
    f32x4.mul(high, v128.load(keys, 16)),
    v128.load(queries),
    target,
  );
}

/** Of int4, a block after the other. */
// @ts-ignore: decorator
@inline
function scoreBlocks(queries: usize, keys: usize, pair: usize, target: usize): void {
  let f00 = f32x4.splat(0);
  let f01 = f00;
  let f10 = f00;
  let f11 = f00;
  let f20 = f00;
  let f21 = f00;
  let f30 = f00;
  let f31 = f00;
  let q = queries + 64;
  const end = keys + pair;
  while (keys < end) {
    let s00 = v128.load32_zero(q);
    let s01 = s00;
    let s10 = v128.load32_zero(q, 16);
    let s11 = s10;
    let s20 = v128.load32_zero(q, 32);
    let s21 = s20;
    let s30 = v128.load32_zero(q, 48);
    let s31 = s30;
    const scale0 = v128.load(keys);
    const scale1 = v128.load(keys, 16);
    for (const last = keys + 128; keys < last;) {
      keys += 32;
      q += 64;
      const k0 = v128.load(keys);
      const k1 = v128.load(keys, 16);
      let x = v128.load(q);
      s00 = add(s00, k0, x, NumbersKind.int4);
      s01 = add(s01, k1, x, NumbersKind.int4);
      x = v128.load(q, 16);
      s10 = add(s10, k0, x, NumbersKind.int4);
      s11 = add(s11, k1, x, NumbersKind.int4);
      x = v128.load(q, 32);
      s20 = add(s20, k0, x, NumbersKind.int4);
      s21 = add(s21, k1, x, NumbersKind.int4);
      x = v128.load(q, 48);
      s30 = add(s30, k0, x, NumbersKind.int4);
      s31 = add(s31, k1, x, NumbersKind.int4);
    }
    keys += 32;
    q += 64;
    f00 = scaled(f00, s00, scale0);
    f01 = scaled(f01, s01, scale1);
    f10 = scaled(f10, s10, scale0);
    f11 = scaled(f11, s11, scale1);
    f20 = scaled(f20, s20, scale0);
    f21 = scaled(f21, s21, scale1);
    f30 = scaled(f30, s30, scale0);
    f31 = scaled(f31, s31, scale1);
  }
  storeScores(sumsOf(f00, f10, f20, f30), sumsOf(f01, f11, f21, f31), v128.load(queries), target);
}

/** sum + integers · scale. */
// @ts-ignore: decorator
@inline
function scaled(sum: v128, integers: v128, scale: v128): v128 {
  return f32x4.add(sum, f32x4.mul(f32x4.convert_i32x4_s(integers), scale));
}

/** Four rows' scores of one key and of the next, times the rows' scales. */
// @ts-ignore: decorator
@inline
function storeScores(low: v128, high: v128, scales: v128, target: usize): void {
  low = f32x4.mul(low, scales);
  high = f32x4.mul(high, scales);
  const first = v128.shuffle<f32>(low, high, 0, 4, 1, 5);
  const last = v128.shuffle<f32>(low, high, 2, 6, 3, 7);
  v128.store64_lane(target, first, 0);
  v128.store64_lane(target, first, 1, TILE_ROW);
  v128.store64_lane(target, last, 0, 2 * TILE_ROW);
  v128.store64_lane(target, last, 1, 3 * TILE_ROW);
}

/** The outputs of a strip's four rows += their weights times `columns` columns of the tile's values, from `first` on. */
export function addTogether(strip: Strip, first: i32, columns: i32): void {
  const u = strip.tile;
  const work = workOf(strip, 0);
  const cRow = workOf(strip, 1).output - work.output;
  for (let column = first; column < first + columns; column += REGISTER_COLUMNS) {
    const panel = valuePanel(u, column);
    const output = work.output + ((<usize>column) << 2);
    if (u.numbers == NumbersKind.int16)
      multiply4x8(work.products, panel, strip.seen, output, cRow, VALUE_SUM | ADD);
    else addIntegers(strip, panel, output, cRow);
  }
}

/** Pairs of weights by pairs of values. */
function addIntegers(strip: Strip, b: usize, output: usize, cRow: usize): void {
  let s00 = i32x4.splat(0);
  let s01 = s00;
  let s10 = s00;
  let s11 = s00;
  let s20 = s00;
  let s21 = s00;
  let s30 = s00;
  let s31 = s00;
  let a = workOf(strip, 0).weights;
  for (const end = b + (((<usize>(strip.seen + 1)) >> 1) << 5); b < end; b += 32) {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    let x = v128.load32_splat(a);
    s00 = add(s00, b0, x, NumbersKind.int8);
    s01 = add(s01, b1, x, NumbersKind.int8);
    x = v128.load32_splat(a, 2 * KEYS);
    s10 = add(s10, b0, x, NumbersKind.int8);
    s11 = add(s11, b1, x, NumbersKind.int8);
    x = v128.load32_splat(a, 4 * KEYS);
    s20 = add(s20, b0, x, NumbersKind.int8);
    s21 = add(s21, b1, x, NumbersKind.int8);
    x = v128.load32_splat(a, 6 * KEYS);
    s30 = add(s30, b0, x, NumbersKind.int8);
    s31 = add(s31, b1, x, NumbersKind.int8);
    a += 4;
  }
  addRow(workOf(strip, 0), output, s00, s01);
  addRow(workOf(strip, 1), output + cRow, s10, s11);
  addRow(workOf(strip, 2), output + 2 * cRow, s20, s21);
  addRow(workOf(strip, 3), output + 3 * cRow, s30, s31);
}

// @ts-ignore: decorator
@inline
function addRow(work: Work, output: usize, low: v128, high: v128): void {
  const scale = f32x4.splat(work.scale);
  v128.store(output, scaled(v128.load(output), low, scale));
  v128.store(output, scaled(v128.load(output, 16), high, scale), 16);
}
