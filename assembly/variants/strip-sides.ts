// What strip-backward.ts multiplies, packed, and where its sums lie. Of a thread:
//
//   gradientRows      dO [⌈rows/4⌉][Dv][4]
//   gradientColumns   dO [⌈Dv/8⌉][rows][8]
//   queryColumns      Q [⌈D/8⌉][rows][8], scaled
//   queryGradients    [rows][⌈D⌉₈]
//   values            V of a tile [⌈T/8⌉][Dv][8]
//   keys              K of a tile [⌈D/8⌉][KEYS][8]
//   transposed        a tile of weights or score gradients [KEYS/4][rows][4]
//   sums              of additive scores, two [D][4]
//
// and of a head, in the shared scratch, [KEYS · tiles][⌈D⌉₈] and [KEYS · tiles][⌈Dv⌉₈]; of additive scores the keys' are
// [KEYS/8 · tiles][D][8]. NaN and Infinity in right sides are put as 0: where they count, weights carry them.

import { keyStrides, outputStrides, queryStrides, sequenceOf, valueStrides } from "../attend/frame";
import { groupSize } from "../attend/heads";
import { Rows, tileRows } from "../attend/rows";
import {
  allFinite,
  dropNonFinite,
  packColumns,
  packRows,
  packRows8,
  scalePanels,
} from "../gemm/pack";
import { resultKeys } from "../attend/visible/window";
import { rowAt, Strides } from "../strided";
import { ceil8, KEYS, REGISTER_ROWS, TILE_ROW, tilesOf } from "../tiles";
import { VariantAttendFrame } from "./frame";


@unmanaged
export class Sides {
  gradientRows: usize = 0;
  gradientColumns: usize = 0;
  queryColumns: usize = 0;
  queryGradients: usize = 0;
  values: usize = 0;
  keys: usize = 0;
  transposed: usize = 0;
  sums: usize = 0;
  /** The eight keys of additive scores that are at work, and their gradients. */
  panel: usize = 0;
  target: usize = 0;
}

const HEADER: usize = 64;

// @ts-ignore: decorator
@inline
function depth8(frame: VariantAttendFrame): usize {
  return <usize>ceil8(frame.headSize);
}

// @ts-ignore: decorator
@inline
function columns8(frame: VariantAttendFrame): usize {
  return <usize>ceil8(frame.valueSize);
}

export function sideBytes(frame: VariantAttendFrame): f64 {
  const rows = <f64>tileRows(frame);
  const depth = <f64>depth8(frame);
  const columns = <f64>columns8(frame);
  const row = 2 * columns + 2 * depth + <f64>KEYS;
  const key = columns + depth;
  const bytes = (rows * row + <f64>KEYS * key + 8 * depth) * 4;
  return <f64>HEADER + Math.ceil(bytes / 64) * 64;
}

export function layOutSides(frame: VariantAttendFrame, at: usize): Sides {
  const s = changetype<Sides>(at);
  const rows = <usize>tileRows(frame);
  s.gradientRows = at + HEADER;
  s.gradientColumns = s.gradientRows + ((rows * columns8(frame)) << 2);
  s.queryColumns = s.gradientColumns + ((rows * columns8(frame)) << 2);
  s.queryGradients = s.queryColumns + ((rows * depth8(frame)) << 2);
  s.values = s.queryGradients + ((rows * depth8(frame)) << 2);
  s.keys = s.values + ((<usize>KEYS * columns8(frame)) << 2);
  s.transposed = s.keys + ((<usize>KEYS * depth8(frame)) << 2);
  s.sums = s.transposed + <usize>rows * TILE_ROW;
  return s;
}

// @ts-ignore: decorator
@inline
function paddedKeys(frame: VariantAttendFrame): usize {
  return <usize>(tilesOf(frame.keys, KEYS) * KEYS);
}

export function headGradientBytes(frame: VariantAttendFrame): f64 {
  return <f64>paddedKeys(frame) * <f64>(depth8(frame) + columns8(frame)) * 4;
}

/** Of the head that is number `index` of all batches. */
export function keyGradientsOf(frame: VariantAttendFrame, index: i32, base: usize): usize {
  return base + <usize>(<f64>index * headGradientBytes(frame));
}

export function valueGradientsOf(frame: VariantAttendFrame, index: i32, base: usize): usize {
  return keyGradientsOf(frame, index, base) + ((paddedKeys(frame) * depth8(frame)) << 2);
}

/** No gradient yet, of the head and of what its query heads sum. */
export function clearHead(frame: VariantAttendFrame, index: i32, base: usize): void {
  memory.fill(keyGradientsOf(frame, index, base), 0, <usize>headGradientBytes(frame));
  const first = <usize>(index * groupSize(frame));
  const heads = <usize>groupSize(frame);
  if (frame.alphasGradient) memory.fill(frame.alphasGradient + (first << 2), 0, heads << 2);
  if (frame.slopesGradient) memory.fill(frame.slopesGradient + (first << 2), 0, heads << 2);
  if (frame.spansGradient) memory.fill(frame.spansGradient + (first << 2), 0, heads << 2);
  const size = (<usize>frame.headSize) << 2;
  if (!frame.additive) return;
  memory.fill(frame.scoreWeightGradient + first * size, 0, heads * size);
  memory.fill(frame.scoreBiasGradient + first * size, 0, heads * size);
}

/** dO and Q of the rows. */
export function packRowSides(frame: VariantAttendFrame, r: Rows, s: Sides): void {
  const rows = <usize>tileRows(frame);
  const gradient = rowAt(frame.outputGradient, outputStrides(frame), r.b, r.h, r.first);
  let source = gradient;
  let panels = s.gradientRows;
  for (let i = 0; i < r.rows; i += REGISTER_ROWS) {
    packRows(source, frame.outputRow, r.rows - i, frame.valueSize, panels, 16);
    source += (frame.outputRow << 2) * REGISTER_ROWS;
    panels += (<usize>frame.valueSize) << 4;
  }
  const count = (<usize>r.rows) << 3;
  let panel = s.gradientColumns;
  for (let j = 0; j < frame.valueSize; j += 8) {
    const at = gradient + ((<usize>j) << 2);
    packColumns(at, frame.outputRow, frame.valueSize - j, r.rows, panel);
    if (!allFinite(panel, count)) dropNonFinite(panel, count);
    panel += rows << 5;
  }
  memory.fill(s.queryGradients, 0, (rows * depth8(frame)) << 2);
  if (frame.additive) return;
  const query = rowAt(frame.query, queryStrides(frame), r.b, r.h, r.first);
  panel = s.queryColumns;
  for (let j = 0; j < frame.headSize; j += 8) {
    const at = query + ((<usize>j) << 2);
    packColumns(at, frame.queryRow, frame.headSize - j, r.rows, panel);
    scalePanels(panel, count, frame.scale);
    if (!allFinite(panel, count)) dropNonFinite(panel, count);
    panel += rows << 5;
  }
}

/** The first key or value of the tile. */
function tileAt(
  frame: VariantAttendFrame,
  base: usize,
  strides: Strides,
  r: Rows,
  index: i32,
): usize {
  const row = sequenceOf(frame, r.b).keyStart + r.column;
  return rowAt(base, strides, r.b, index % frame.keyValueHeads, row);
}

export function packValues(frame: VariantAttendFrame, r: Rows, index: i32, s: Sides): void {
  let source = tileAt(frame, frame.value, valueStrides(frame), r, index);
  let panel = s.values;
  for (let j = 0; j < r.columns; j += 8) {
    packRows8(source, frame.valueRow, min(r.columns - j, 8), frame.valueSize, panel);
    source += frame.valueRow << 5;
    panel += (<usize>frame.valueSize) << 5;
  }
}

export function packKeys(frame: VariantAttendFrame, r: Rows, index: i32, s: Sides): void {
  const source = tileAt(frame, frame.key, keyStrides(frame), r, index);
  const count = (<usize>r.columns) << 3;
  let panel = s.keys;
  for (let j = 0; j < frame.headSize; j += 8) {
    const at = source + ((<usize>j) << 2);
    packColumns(at, frame.keyRow, frame.headSize - j, r.columns, panel);
    if (!allFinite(panel, count)) dropNonFinite(panel, count);
    panel += (<usize>KEYS) << 5;
  }
}

/** A tile [rows][KEYS] as [KEYS/4][capacity][4]. */
export function transposeTile(tile: usize, r: Rows, target: usize, capacity: usize): void {
  for (let i = 0; i < r.rows; i++) {
    let source = tile + <usize>i * TILE_ROW;
    let at = target + ((<usize>i) << 4);
    for (let j = 0; j < r.columns; j += 4) {
      v128.store(at, v128.load(source));
      source += 16;
      at += capacity << 4;
    }
  }
}

/** Writes a head's gradients. */
export function finishHead(frame: VariantAttendFrame, index: i32, base: usize): void {
  const b = index / frame.keyValueHeads;
  const h = index % frame.keyValueHeads;
  const start = sequenceOf(frame, b).keyStart;
  const keys = keyGradientsOf(frame, index, base);
  const values = valueGradientsOf(frame, index, base);
  const depth = <usize>frame.headSize;
  for (let j = 0; j < resultKeys(frame, b); j++) {
    const value = rowAt(frame.valueGradient, valueStrides(frame), b, h, start + j);
    const row = <usize>j * (columns8(frame) << 2);
    memory.copy(value, values + row, (<usize>frame.valueSize) << 2);
    const key = rowAt(frame.keyGradient, keyStrides(frame), b, h, start + j);
    if (!frame.additive) {
      memory.copy(key, keys + <usize>j * (depth8(frame) << 2), depth << 2);
      continue;
    }
    const panel = keys + ((<usize>(j >> 3) * depth) << 5) + ((<usize>(j & 7)) << 2);
    for (let d: usize = 0; d < depth; d++) {
      store<f32>(key + (d << 2), load<f32>(panel + (d << 5)));
    }
  }
}
