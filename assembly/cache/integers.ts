// Two steps of the tile loop over keys and values of 8 bits, by integer products whose sums are exact:
//
//   s_ij = (q̂_i · k̂_j) · scale_i · scale_j        q̂ of 16 bits, a scale a row
//   o_i += (Σ_j ŵ_j · v̂_j) · scale                ŵ_j = w_j · scale_j of 16 bits, a scale a tile
//
// Each row goes by itself over the rows of its tile as they lie in the pages, so that no result depends on
// which rows are asked for together. A row of NaN (its scale) makes NaN of the scores and outputs of those
// that see it.

import { AttendFrame, keyStrides, valueStrides } from "../attend/frame";
import { keyValueHead } from "../attend/heads";
import { Rows } from "../attend/rows";
import { blockOf, scoresOf, spareOf } from "../attend/scratch";
import { reach } from "../attend/step";
import { KEYS, REGISTER_ROWS, TILE_ROW } from "../tiles";
import { storedRow } from "./locate";
import { rounded } from "./numbers";

/** Before the numbers of a row. */
const SCALE: usize = 4;
const MOST: f32 = 32767;
const MOST_SUM: i32 = 0x7fffffff / 127;

/** Keys of the tile for row i, as many for all rows of a register block. */
// @ts-ignore: decorator
@inline
function seenBy(frame: AttendFrame, r: Rows, i: i32): i32 {
  return min(reach(frame, r) + (i | (REGISTER_ROWS - 1)), r.columns);
}

/** Rows of a page from key `from` on, fewer than `count` where it ends. */
// @ts-ignore: decorator
@inline
function runOf(frame: AttendFrame, from: i32, count: i32): i32 {
  return min(count, frame.pageSize - (from % frame.pageSize));
}

/** Scores of the rows' tile. */
export function scoreInt8(frame: AttendFrame, r: Rows, scratch: usize): void {
  const head = keyValueHead(frame, r.h);
  const strides = keyStrides(frame);
  const origin = frame.key + ((<usize>head * strides.head) << 2);
  const query = spareOf(frame, scratch);
  for (let i = 0; i < r.rows; i++) {
    const seen = seenBy(frame, r, i);
    if (seen <= 0) continue;
    const panel = r.queries + ((<usize>(i & ~3) * <usize>frame.headSize + <usize>(i & 3)) << 2);
    roundQuery(panel, frame.headSize, query);
    let target = scoresOf(scratch) + <usize>i * TILE_ROW;
    for (let j = 0; j < seen;) {
      const run = runOf(frame, r.column + j, seen - j);
      const keys = storedRow(frame, r.b, origin, strides.batch, frame.keyPageRow, r.column + j);
      scoreRun(keys, frame.keyPageRow << 2, run, query, frame.headSize, target);
      target += (<usize>run) << 2;
      j += run;
    }
  }
}

/** Before the numbers of a query. */
const QUERY_SCALE: usize = 16;

/** A row of a panel, 16 bytes a number, as its scale and 16 bits each with zeros up to eight. */
function roundQuery(panel: usize, size: i32, query: usize): void {
  let largest: f32 = 0;
  for (let i: usize = 0; i < <usize>size; i++) {
    largest = max(largest, abs(load<f32>(panel + (i << 4))));
  }
  // No sum leaves 31 bits, whatever the keys.
  const most = min(MOST, <f32>(MOST_SUM / size));
  const finite = largest - largest == 0;
  store<f32>(query, finite ? largest / most : <f32>NaN);
  const inverse: f32 = finite && largest > <f32>1e-30 ? most / largest : 0;
  const end = (<usize>size + 7) & ~7;
  v128.store(query + (end << 1), i64x2.splat(0));
  for (let i: usize = 0; i < <usize>size; i++) {
    const q = <i32>nearest(load<f32>(panel + (i << 4)) * inverse);
    store<i16>(query + (i << 1), <i16>q, QUERY_SCALE);
  }
}

/** Eight numbers of a key by eight of the query, in four sums. */
// @ts-ignore: decorator
@inline
function dot8(key: usize, query: v128): v128 {
  return i32x4.dot_i16x8_s(v128.load_ext<i8>(key), query);
}

/** Scores of `count` rows `stride` bytes apart; what stands behind a key is multiplied by 0. */
function scoreRun(
  keys: usize,
  stride: usize,
  count: i32,
  query: usize,
  size: i32,
  target: usize,
): void {
  const bytes = <usize>size;
  const scale = v128.load32_splat(query);
  for (; count > 0; count -= 4) {
    const k1 = count > 1 ? keys + stride : keys;
    const k2 = count > 2 ? k1 + stride : keys;
    const k3 = count > 3 ? k2 + stride : keys;
    let s0 = i32x4.splat(0);
    let s1 = i32x4.splat(0);
    let s2 = i32x4.splat(0);
    let s3 = i32x4.splat(0);
    for (let i: usize = 0; i < bytes; i += 8) {
      const q = v128.load(query + (i << 1), QUERY_SCALE);
      s0 = i32x4.add(s0, dot8(keys + SCALE + i, q));
      s1 = i32x4.add(s1, dot8(k1 + SCALE + i, q));
      s2 = i32x4.add(s2, dot8(k2 + SCALE + i, q));
      s3 = i32x4.add(s3, dot8(k3 + SCALE + i, q));
    }
    const low01 = v128.shuffle<i32>(s0, s1, 0, 4, 1, 5);
    const high01 = v128.shuffle<i32>(s0, s1, 2, 6, 3, 7);
    const low23 = v128.shuffle<i32>(s2, s3, 0, 4, 1, 5);
    const high23 = v128.shuffle<i32>(s2, s3, 2, 6, 3, 7);
    const t01 = i32x4.add(low01, high01);
    const t23 = i32x4.add(low23, high23);
    const sums = i32x4.add(
      v128.shuffle<i32>(t01, t23, 0, 1, 4, 5),
      v128.shuffle<i32>(t01, t23, 2, 3, 6, 7),
    );
    let scales = v128.load32_zero(keys);
    scales = v128.load_lane<f32>(k1, scales, 1);
    scales = v128.load_lane<f32>(k2, scales, 2);
    scales = v128.load_lane<f32>(k3, scales, 3);
    const scores = f32x4.mul(f32x4.mul(f32x4.convert_i32x4_s(sums), scale), scales);
    if (count >= 4) v128.store(target, scores);
    else {
      for (let j: usize = 0; j < <usize>count; j++) {
        store<f32>(target + (j << 2), lane(scores, <i32>j));
      }
    }
    keys = k3 + stride;
    target += 16;
  }
}

// @ts-ignore: decorator
@inline
function lane(v: v128, j: i32): f32 {
  if (j == 0) return f32x4.extract_lane(v, 0);
  return j == 1 ? f32x4.extract_lane(v, 1) : f32x4.extract_lane(v, 2);
}

/** Where, in the block of the scratch, the scale of the rounded weights stands behind them. */
const WEIGHTS_SCALE: usize = (<usize>KEYS) << 1;

/** The tile's values by the weights that its scores have become; the spare tile has the scores. */
export function addInt8(frame: AttendFrame, r: Rows, scratch: usize): void {
  for (let i = 0; i < r.rows; i++) {
    const seen = seenBy(frame, r, i);
    if (seen <= 0 || !roundWeights(frame, r, i, seen, scratch)) continue;
    for (let column = 0; column < frame.valueSize; column += 8) {
      addColumns(frame, r, i, seen, column, scratch);
    }
  }
}

/** The head's first row of values in page 0. */
// @ts-ignore: decorator
@inline
function valuesOf(frame: AttendFrame, r: Rows): usize {
  const head = <usize>keyValueHead(frame, r.h);
  return frame.value + ((head * valueStrides(frame).head) << 2);
}

/** The first `seen` weights of row i, times the scales of their values, as 16 bits each; false if all are 0. */
function roundWeights(frame: AttendFrame, r: Rows, i: i32, seen: i32, scratch: usize): bool {
  const at = <usize>i * TILE_ROW;
  let weights = scoresOf(scratch) + at;
  let scores = spareOf(frame, scratch) + at;
  const target = blockOf(frame, scratch);
  const page = valueStrides(frame).batch;
  const stride = frame.valuePageRow << 2;
  let product = target;
  let largest: f32 = 0;
  for (let j = 0; j < seen;) {
    const run = runOf(frame, r.column + j, seen - j);
    let value = storedRow(frame, r.b, valuesOf(frame, r), page, frame.valuePageRow, r.column + j);
    for (let k = 0; k < run; k++) {
      // 0 · NaN would let through what is left out.
      const takesPart = load<f32>(scores) != -(<f32>Infinity);
      const weight: f32 = takesPart ? load<f32>(weights) * load<f32>(value) : 0;
      store<f32>(product, weight);
      largest = max(largest, weight);
      value += stride;
      weights += 4;
      scores += 4;
      product += 4;
    }
    j += run;
  }
  const finite = largest - largest == 0;
  const inverse: f32 = finite && largest > <f32>1e-30 ? MOST / largest : 0;
  // Over the front of the products; those past the last are not read.
  for (let j: usize = 0; j < <usize>seen; j += 8) {
    const from = target + (j << 2);
    const low = rounded(from, inverse);
    v128.store(target + (j << 1), i16x8.narrow_i32x4_s(low, rounded(from + 16, inverse)));
  }
  store<f32>(target + WEIGHTS_SCALE, finite ? largest / MOST : <f32>NaN);
  return largest != 0;
}

/** Eight columns from `column` on: pairs of keys by pairs of weights. */
function addColumns(
  frame: AttendFrame,
  r: Rows,
  i: i32,
  seen: i32,
  column: i32,
  scratch: usize,
): void {
  const values = valuesOf(frame, r) + SCALE + <usize>column;
  const page = valueStrides(frame).batch;
  const stride = frame.valuePageRow << 2;
  let weights = blockOf(frame, scratch);
  const scale = v128.load32_splat(weights + WEIGHTS_SCALE);
  let low = i32x4.splat(0);
  let high = i32x4.splat(0);
  for (let j = 0; j < seen;) {
    const run = runOf(frame, r.column + j, seen - j);
    let value = storedRow(frame, r.b, values, page, frame.valuePageRow, r.column + j);
    let left = run;
    for (; left > 1; left -= 2) {
      const a = v128.load_ext<i8>(value);
      const b = v128.load_ext<i8>(value + stride);
      const pair = v128.load32_splat(weights);
      const first = v128.shuffle<i16>(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
      const last = v128.shuffle<i16>(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
      low = i32x4.add(low, i32x4.dot_i16x8_s(pair, first));
      high = i32x4.add(high, i32x4.dot_i16x8_s(pair, last));
      value += stride << 1;
      weights += 4;
    }
    if (left) {
      const weight = v128.load16_splat(weights);
      const a = v128.load_ext<i8>(value);
      low = i32x4.add(low, i32x4.extmul_low_i16x8_s(a, weight));
      high = i32x4.add(high, i32x4.extmul_high_i16x8_s(a, weight));
      weights += 2;
    }
    j += run;
  }
  const output = r.states.output + ((<usize>i * <usize>r.states.columns + <usize>column) << 2);
  v128.store(output, f32x4.add(v128.load(output), f32x4.mul(f32x4.convert_i32x4_s(low), scale)));
  const sums = f32x4.mul(f32x4.convert_i32x4_s(high), scale);
  v128.store(output, f32x4.add(v128.load(output, 16), sums), 16);
}
