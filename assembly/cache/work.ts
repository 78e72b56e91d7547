// Rows that attend to a tile side by side, and what is added up for each, see values.ts.

import { Rows } from "../attend/rows";
import { NumbersKind } from "../kinds";
import { largerMagnitude, largestOfFour, magnitudeMask } from "../simd/magnitude";
import { nearestFour, roundingShift } from "../simd/round";
import { KEYS, TILE_ROW } from "../tiles";
import { MOST, Query } from "./query";
import { Unpacked } from "./unpack";

/** Columns of a block of int4. */
const BLOCK: i32 = 32;

/**
 * What is added up for a tile: weights times scales [KEYS], of int16 in place of its scores, and of others as 16
 * bits too; and sums [⌈Dv⌉₃₂]. Those of int4 stand as addBlock leaves them.
 */
@unmanaged
export class Work {
  /** Whose row it is. */
  rows: Rows = changetype<Rows>(0);
  /** The row's scores, which become weights, and their copy or 0; its query and its output. */
  scores: usize = 0;
  copy: usize = 0;
  query: Query = changetype<Query>(0);
  output: usize = 0;
  /** Bytes from the first head's keys and values to its own. */
  keyHead: usize = 0;
  valueHead: usize = 0;
  /** ŵ · scale = w · scale_j; NaN where one is. */
  scale: f32 = 0;
  /** NumbersKind */
  numbers: i32 = 0;
  /** Of a block; a row of others than int4 is one. */
  columns: i32 = 0;
  /** Of values [KEYS], and room for them, which the products of int8 and int4 take. */
  scales: usize = 0;
  room: usize = 0;
  products: usize = 0;
  weights: usize = 0;
  sums: usize = 0;
}

const HEADER: usize = 64;

/** Works that a strip has room for. */
export const WORKS: i32 = 4;

/**
 * Up to WORKS rows of one sequence, and a run of stored keys or values that they read. Their weights of 16 bits
 * [WORKS][KEYS] and the Works follow.
 */
@unmanaged
export class Strip {
  /** Of the first, whose tile is that of all. */
  rows: Rows = changetype<Rows>(0);
  works: i32 = 0;
  /** Keys of the tile that are seen. */
  seen: i32 = 0;
  /** Bytes of a Work. */
  step: usize = 0;
  /** The run: its first row of the first head, the bytes between rows, its place in the tile, its rows. */
  run: usize = 0;
  stride: usize = 0;
  first: i32 = 0;
  count: i32 = 0;
  lines: i32 = 0;
  /** Whether scores are copied before they become weights. */
  copies: bool = true;
  /** The tile for rows that attend together. */
  tile: Unpacked = changetype<Unpacked>(0);
}

/** Bytes of a Work, a multiple of 64. */
// @ts-ignore: decorator
@inline
function workBytes(size: i32): usize {
  return HEADER + TILE_ROW + (((<usize>size + 31) & ~31) << 2);
}

const WEIGHTS: usize = <usize>WORKS * ((<usize>KEYS) << 1);

/** Bytes of a Strip with its Works, a multiple of 64. */
export function stripBytes(size: i32): usize {
  return HEADER + WEIGHTS + <usize>WORKS * workBytes(size);
}

// @ts-ignore: decorator
@inline
export function worksOf(strip: Strip): usize {
  return changetype<usize>(strip) + HEADER + WEIGHTS;
}

// @ts-ignore: decorator
@inline
export function workOf(strip: Strip, i: i32): Work {
  return changetype<Work>(worksOf(strip) + <usize>i * strip.step);
}

export function layOutStrip(strip: Strip, numbers: i32, size: i32): void {
  strip.step = workBytes(size);
  strip.copies = true;
  for (let i = 0; i < WORKS; i++) {
    const work = workOf(strip, i);
    work.numbers = numbers;
    work.columns = numbers == NumbersKind.int4 ? BLOCK : size;
    work.room = changetype<usize>(work) + HEADER;
    work.sums = work.room + TILE_ROW;
    work.weights = changetype<usize>(strip) + HEADER + <usize>i * ((<usize>KEYS) << 1);
  }
}

const LINE: usize = 64;

/**
 * The scales of the strip's run for the first `works` of it, `column` bytes into a row, four of each in
 * turns: memory delivers several runs in turns faster than one (bench/NOTES.md). With the first column
 * each line of longer rows is read, for what comes next.
 */
export function gatherScales(strip: Strip, works: i32, column: usize): void {
  const stride = strip.stride;
  const long = column ? false : stride > 2 * LINE;
  let all = 0;
  let run = strip.run + column;
  let to = (<usize>strip.first) << 2;
  const turn = works == 1 ? strip.count : 4;
  for (let count = strip.count; count > 0; count -= turn) {
    const bytes = <usize>min(count, turn) * stride;
    let at = worksOf(strip);
    for (const end = at + <usize>works * strip.step; at < end; at += strip.step) {
      const work = changetype<Work>(at);
      const values = run + work.valueHead;
      let target = work.room + to;
      for (let i: usize = 0; i < bytes; i += stride) {
        store<f32>(target, load<f32>(values + i));
        target += 4;
      }
      if (long) for (let i: usize = 0; i < bytes; i += LINE) all |= load<i32>(values + i);
    }
    to += (<usize>turn) << 2;
    run += <usize>turn * stride;
  }
  // So that no engine leaves the loads out.
  strip.lines = all;
}

/**
 * Multiplies `count` weights by the scales of their values, rounds them, and clears the sums. False if nothing is
 * to be added. Where there is a copy of the scores, what is left out has −∞ there.
 */
export function weigh(work: Work, count: i32): bool {
  const end = (<usize>((count + 7) & ~7)) << 2;
  const products = work.products;
  const most = work.copy ? multiplySeen(work, end) : multiplyAll(work, end);
  // NaN where a product is.
  const finite = most == most;
  if (most == 0) return false;
  let start = i32x4.splat(0);
  if (work.numbers != NumbersKind.int16) {
    const inverse = f32x4.splat(finite && most > <f32>1e-30 ? MOST / most : 0);
    const shift = roundingShift();
    let total = i32x4.splat(0);
    for (let i: usize = 0; i < end; i += 32) {
      const low = nearestFour(f32x4.mul(v128.load(products + i), inverse), shift);
      const high = nearestFour(f32x4.mul(v128.load(products + i, 16), inverse), shift);
      total = i32x4.add(total, i32x4.add(low, high));
      v128.store(work.weights + (i >> 1), i16x8.narrow_i32x4_s(low, high));
    }
    work.scale = finite ? most / MOST : <f32>NaN;
    if (work.numbers == NumbersKind.int4) {
      const pairs = i32x4.add(total, v128.shuffle<i32>(total, total, 2, 3, 0, 1));
      start = i32x4.splat(-8 * (i32x4.extract_lane(pairs, 0) + i32x4.extract_lane(pairs, 1)));
    }
  }
  const last = work.sums + ((<usize>((work.columns + 3) & ~3)) << 2);
  for (let at = work.sums; at < last; at += 16) v128.store(at, start);
  return true;
}

function multiplyAll(work: Work, end: usize): f32 {
  return multiply(work, end, false);
}

function multiplySeen(work: Work, end: usize): f32 {
  return multiply(work, end, true);
}

/** The largest magnitude of the products; `copied` is a constant where this is inlined. */
// @ts-ignore: decorator
@inline
function multiply(work: Work, end: usize, copied: bool): f32 {
  const weights = work.scores;
  const scores = work.copy;
  const scales = work.scales;
  const products = work.products;
  const hidden = f32x4.splat(-(<f32>Infinity));
  const mask = magnitudeMask();
  let largest = i32x4.splat(0);
  for (let i: usize = 0; i < end; i += 16) {
    let product = f32x4.mul(v128.load(weights + i), v128.load(scales + i));
    if (copied) product = v128.and(product, f32x4.ne(v128.load(scores + i), hidden));
    v128.store(products + i, product);
    largest = largerMagnitude(largest, product, mask);
  }
  return largestOfFour(largest);
}

/** output += sums · scale from column `first` on, `columns` of them, a multiple of 8. */
export function addSums(work: Work, first: i32, columns: i32): void {
  const output = work.output + ((<usize>first) << 2);
  const scale = f32x4.splat(work.scale);
  const sums = work.sums;
  const bytes = (<usize>columns) << 2;
  for (let at: usize = 0; at < bytes; at += 16) {
    let sum: v128;
    if (work.numbers == NumbersKind.int16) sum = v128.load(sums + at);
    else {
      const whole = work.numbers == NumbersKind.int4 ? inOrder(sums, at) : v128.load(sums + at);
      sum = f32x4.mul(f32x4.convert_i32x4_s(whole), scale);
    }
    v128.store(output + at, f32x4.add(v128.load(output + at), sum));
  }
}

/** Four columns as addBlock has left them: of every eight, even ones and, 32 bytes on, odd ones. */
// @ts-ignore: decorator
@inline
function inOrder(sums: usize, at: usize): v128 {
  const column = at >> 2;
  const even = sums + ((column & 8) << 3) + (column & 16);
  const a = v128.load(even);
  const b = v128.load(even, 32);
  if (column & 4) return v128.shuffle<i32>(a, b, 2, 6, 3, 7);
  return v128.shuffle<i32>(a, b, 0, 4, 1, 5);
}
