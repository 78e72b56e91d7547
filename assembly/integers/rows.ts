// A tile of query rows in integers, behind its Rows; and one step of the tile loop with them.
//
// Scores are float32 again before anything is done to them, so that every option of attend is what it is
// there; weights, times the values' scales, are rounded anew for each tile and row:
//
//   ŵ_j = nearest(w_j · t_j / u),  u = max(max_j w_j·t_j / 32767, Σ_j w_j·t_j / SUM)      Σ ŵ·v̂ < 2³¹
//
// l is summed over the weights before rounding.

import { AttendFrame } from "../attend/frame";
import { tileAt } from "../attend/roads/many";
import { Rows, rowsBytes, tileRows } from "../attend/rows";
import { scoresOf } from "../attend/scratch";
import { attendTile, reach, softmaxTile } from "../attend/step";
import { sumLanes } from "../simd/lanes";
import { ceil8, KEYS, REGISTER_ROWS, TILE_ROW } from "../tiles";
import { IntegerProduct, PRODUCT_BYTES, scoresOfWords, valuesOfWords } from "./products";
import { pairsOf } from "./transpose";
import {
  fourOf,
  integerTileBytes,
  isOfIntegers,
  keyNumbers,
  keyScales,
  packIntegers,
  rounded,
  rowNumbers,
  scalesOfFour,
  valueNumbers,
  valuePanelBytes,
  valueScales,
} from "./tile";

/** SUM · VALUE of tile.ts, with half a step of each of KEYS weights, stays below 2³¹. */
const SUM: f32 = 262000;
const MOST: f32 = 32767;

/** Bit i of it: row i has no scale. Then the product; scales of queries [rows], of weights, queries, weights. */
// @ts-ignore: decorator
@inline
function specialOf(frame: AttendFrame, r: Rows): usize {
  return changetype<usize>(r) + <usize>rowsBytes(frame);
}

// @ts-ignore: decorator
@inline
function productAt(frame: AttendFrame, r: Rows): IntegerProduct {
  return changetype<IntegerProduct>(specialOf(frame, r) + 64);
}

// @ts-ignore: decorator
@inline
function queryScales(frame: AttendFrame, r: Rows): usize {
  return specialOf(frame, r) + 64 + PRODUCT_BYTES;
}

// @ts-ignore: decorator
@inline
function weightScales(frame: AttendFrame, r: Rows): usize {
  return queryScales(frame, r) + ((<usize>tileRows(frame)) << 2);
}

// @ts-ignore: decorator
@inline
function queryNumbers(frame: AttendFrame, r: Rows): usize {
  return weightScales(frame, r) + ((<usize>tileRows(frame)) << 2);
}

// @ts-ignore: decorator
@inline
function weightNumbers(frame: AttendFrame, r: Rows): usize {
  return queryNumbers(frame, r) + <usize>tileRows(frame) * (rowNumbers(frame) << 1);
}

/** Tiles of 16 bits, see attend/roads/many.ts. */
@unmanaged
export class Integers {
  headItems(): i32 {
    return 0;
  }

  headBytes(_frame: AttendFrame): u64 {
    return 0;
  }

  prepare(_frame: AttendFrame, _head: i32, _panels: usize): void {}

  tileBytes(frame: AttendFrame): u64 {
    return integerTileBytes(frame);
  }

  rowsBytes(frame: AttendFrame): u64 {
    const row = 8 + ((<u64>rowNumbers(frame)) << 1) + ((<u64>KEYS) << 1);
    return (rowsBytes(frame) + 64 + PRODUCT_BYTES + <u64>tileRows(frame) * row + 63) & ~63;
  }

  pack(frame: AttendFrame, head: i32, from: i32, count: i32, panels: usize, gathered: usize): void {
    packIntegers(frame, head, from, count, tileAt<Integers>(frame, panels, from), gathered);
  }

  begin(frame: AttendFrame, r: Rows, _panels: usize): void {
    roundQueries(frame, r);
  }

  attend(frame: AttendFrame, r: Rows, tile: usize, scratch: usize): void {
    if (isOfIntegers(tile)) attendIntegers(frame, r, tile, scratch);
    else attendTile(frame, r, tile, scratch);
  }
}

/** The rows' scaled queries, [rows/4][D][4], as integers [rows/4][D/2][4][2]. */
function roundQueries(frame: AttendFrame, r: Rows): void {
  const size = <usize>frame.headSize;
  const bytes = rowNumbers(frame) << 1;
  const numbers = queryNumbers(frame, r);
  const scales = queryScales(frame, r);
  memory.fill(numbers, 0, <usize>tileRows(frame) * bytes);
  let special: u64 = 0;
  for (let i = 0; i < r.rows; i += REGISTER_ROWS) {
    const panel = r.queries + ((<usize>i * size) << 2);
    const at = scales + ((<usize>i) << 2);
    scalesOfFour(panel, frame.headSize, at);
    for (let lane = 0; lane < REGISTER_ROWS; lane++) {
      const scale = load<f32>(at + ((<usize>lane) << 2));
      if (scale >= 0) continue;
      special |= (<u64>1) << (i + lane);
      store<f32>(at + ((<usize>lane) << 2), 0);
    }
    const four = v128.load(at);
    const inverse = v128.and(f32x4.div(f32x4.splat(1), four), f32x4.gt(four, f32x4.splat(0)));
    let target = numbers + <usize>i * bytes;
    for (let d: usize = 0; d < size; d += 2, target += 16) {
      const a = fourOf(panel + (d << 4), inverse);
      const b = d + 1 < size ? fourOf(panel + (d << 4) + 16, inverse) : i32x4.splat(0);
      v128.store(target, pairsOf(a, b));
    }
  }
  store<u64>(specialOf(frame, r), special);
}

/** The rows attend to a tile of integers, as attendTile of attend/step.ts. */
function attendIntegers(frame: AttendFrame, r: Rows, tile: usize, scratch: usize): void {
  const scores = scoresOf(scratch);
  const p = productAt(frame, r);
  p.a = queryNumbers(frame, r);
  p.aRow = rowNumbers(frame) << 1;
  p.b = keyNumbers(frame, tile);
  p.panel = rowNumbers(frame) << 4;
  p.c = scores;
  p.cRow = TILE_ROW;
  p.rows = r.rows;
  p.columns = r.columns;
  p.depth = frame.headSize;
  p.reach = reach(frame, r);
  p.rowScales = queryScales(frame, r);
  p.columnScales = keyScales(tile);
  p.rowOffsets = 0;
  p.columnSums = 0;
  scoresOfWords(p);
  for (let left = load<u64>(specialOf(frame, r)); left; left &= left - 1) {
    const i = <i32>ctz(left);
    if (i < r.rows) scoreSpecial(frame, r, tile, i, scores + <usize>i * TILE_ROW);
  }
  softmaxTile(frame, r, scratch, false);

  const weights = weightNumbers(frame, r);
  const t = valueScales(frame, tile);
  for (let i = 0; i < ((r.rows + 3) & ~3); i++) {
    const seen = i < r.rows ? min(p.reach + (i | (REGISTER_ROWS - 1)), r.columns) : 0;
    const target = weights + <usize>i * ((<usize>KEYS) << 1);
    const scale = weigh(scores + <usize>i * TILE_ROW, t, max(ceil8(seen), 0), target);
    store<f32>(weightScales(frame, r) + ((<usize>i) << 2), scale);
  }
  p.a = weights;
  p.aRow = (<usize>KEYS) << 1;
  p.b = valueNumbers(frame, tile);
  p.panel = valuePanelBytes(frame);
  p.c = r.states.output;
  p.cRow = (<usize>r.states.columns) << 2;
  p.columns = r.states.columns;
  p.depth = r.columns;
  p.rowScales = weightScales(frame, r);
  valuesOfWords(p);
}

/** Row i's scores in float32, of a query that has no scale. */
function scoreSpecial(frame: AttendFrame, r: Rows, tile: usize, i: i32, target: usize): void {
  const size = <usize>frame.headSize;
  const query = r.queries + ((<usize>(i & ~3) * size + <usize>(i & 3)) << 2);
  const panel = rowNumbers(frame) << 4;
  for (let j: usize = 0; j < <usize>r.columns; j++) {
    const keys = keyNumbers(frame, tile) + (j >> 3) * panel + ((j & 7) << 2);
    const scale = load<f32>(keyScales(tile) + (j << 2));
    let sum: f32 = 0;
    for (let d: usize = 0; d < size; d++) {
      const k = <f32>load<i16>(keys + ((d >> 1) << 5) + ((d & 1) << 1)) * scale;
      sum += load<f32>(query + (d << 4)) * k;
    }
    store<f32>(target + (j << 2), sum);
  }
}

/** Weights times the values' scales, rounded to `target`; gives u. NaN where one is. */
function weigh(weights: usize, scales: usize, count: i32, target: usize): f32 {
  const end = (<usize>count) << 2;
  let largest = f32x4.splat(0);
  let sum = largest;
  for (let at: usize = 0; at < end; at += 32) {
    const a = f32x4.mul(v128.load(weights + at), v128.load(scales + at));
    const b = f32x4.mul(v128.load(weights + at, 16), v128.load(scales + at, 16));
    v128.store(weights + at, a);
    v128.store(weights + at, b, 16);
    largest = f32x4.pmax(largest, f32x4.pmax(a, b));
    sum = f32x4.add(sum, f32x4.add(a, b));
  }
  const two = f32x4.pmax(largest, v128.shuffle<f32>(largest, largest, 2, 3, 0, 1));
  const most = max(f32x4.extract_lane(two, 0), f32x4.extract_lane(two, 1));
  const total = sumLanes(sum);
  const scale = max(most / MOST, total / SUM);
  // So little that nothing of it is left.
  const none = !(scale > <f32>1e-37);
  const inverse = f32x4.splat(none ? 0 : <f32>1 / scale);
  for (let at: usize = 0; at < end; at += 32) {
    v128.store(target + (at >> 1), rounded(weights + at, inverse));
  }
  // What stands behind is read with the last pair, or by the other rows of a block.
  for (let at = end >> 1; at < (<usize>KEYS) << 1; at += 16) {
    v128.store(target + at, i32x4.splat(0));
  }
  return none && total == total ? 0 : scale;
}
