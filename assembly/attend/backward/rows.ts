// What a tile of query rows brings to the backward pass, packed once and read by every tile of keys:
//
//   queries           [⌈rows/4⌉][D][4] and [⌈D/8⌉][rows][8], scaled
//   output gradients  [⌈rows/4⌉][Dv][4] and [⌈Dv/8⌉][rows][8]
//   query gradients   [rows][⌈D⌉₈], which the tiles of keys add to
//   lse and delta     [rows], delta = Σ dO ∘ O, which is what Σ P ∘ dP comes to (Dao 2023)
//
// Panels eight wide are the right sides of products whose left sides are 0 where a key is left out:
// NaN and Infinity in them are put as 0. Where they count, scores or delta carry them.

import { Slot } from "../../frame";
import { allFinite, dropNonFinite, packColumns, packRows, scalePanels } from "../../gemm/pack";
import { exp } from "../../simd/exp";
import { madd } from "../../simd/lanes";
import { address, element, number, size } from "../../slots";
import { REGISTER_ROWS, SCORE_SUM } from "../../tiles";
import { ceil8 } from "../panels";
import { tileRows } from "../rows";

// @ts-ignore: decorator
@inline
function room(frame: usize): usize {
  return <usize>tileRows(frame);
}

// @ts-ignore: decorator
@inline
function depth8(frame: usize): usize {
  return <usize>ceil8(size(frame, Slot.headSize));
}

// @ts-ignore: decorator
@inline
function columns8(frame: usize): usize {
  return <usize>ceil8(size(frame, Slot.valueSize));
}

/** Bytes of a tile of rows. */
export function rowTileBytes(frame: usize): u64 {
  const row =
    address(frame, Slot.headSize) +
    address(frame, Slot.valueSize) +
    2 * depth8(frame) +
    columns8(frame) +
    2;
  return (<u64>room(frame) * row * 4 + 63) & ~63;
}

// @ts-ignore: decorator
@inline
export function queryRows(frame: usize, tile: usize): usize {
  return tile;
}

// @ts-ignore: decorator
@inline
export function gradientRows(frame: usize, tile: usize): usize {
  return tile + ((room(frame) * address(frame, Slot.headSize)) << 2);
}

// @ts-ignore: decorator
@inline
export function queryColumns(frame: usize, tile: usize): usize {
  return gradientRows(frame, tile) + ((room(frame) * address(frame, Slot.valueSize)) << 2);
}

// @ts-ignore: decorator
@inline
export function gradientColumns(frame: usize, tile: usize): usize {
  return queryColumns(frame, tile) + ((room(frame) * depth8(frame)) << 2);
}

// @ts-ignore: decorator
@inline
export function queryGradients(frame: usize, tile: usize): usize {
  return gradientColumns(frame, tile) + ((room(frame) * columns8(frame)) << 2);
}

// @ts-ignore: decorator
@inline
export function bases(frame: usize, tile: usize): usize {
  return queryGradients(frame, tile) + ((room(frame) * depth8(frame)) << 2);
}

// @ts-ignore: decorator
@inline
export function deltas(frame: usize, tile: usize): usize {
  return bases(frame, tile) + (room(frame) << 2);
}

/**
 * Packs `rows` rows from query `start` on, the first of which is row `first` of the tensors; no
 * gradient yet. Gives what they add to the sink's gradient, −Σ e^(sink − lse) · delta.
 */
export function beginRowTile(
  frame: usize,
  tile: usize,
  b: i32,
  h: i32,
  start: i32,
  first: i32,
  rows: i32,
): f64 {
  const depth = size(frame, Slot.headSize);
  const columns = size(frame, Slot.valueSize);
  const query = element(frame, Slot.query, Slot.queryBatch, b, h, first);
  const gradient = element(frame, Slot.outputGradient, Slot.outputBatch, b, h, first);
  const queryStride = address(frame, Slot.queryRow);
  const gradientStride = address(frame, Slot.outputRow);
  const scale = number(frame, Slot.scale);

  packAll(query, queryStride, rows, depth, queryRows(frame, tile));
  scalePanels(queryRows(frame, tile), room(frame) * depth, scale);
  packAll(gradient, gradientStride, rows, columns, gradientRows(frame, tile));
  const output = element(frame, Slot.output, Slot.outputBatch, b, h, first);
  writeDeltas(
    gradientRows(frame, tile),
    output,
    gradientStride,
    rows,
    columns,
    gradientColumns(frame, tile),
    deltas(frame, tile),
  );
  packSides(frame, query, queryStride, rows, depth, scale, queryColumns(frame, tile));
  packSides(frame, gradient, gradientStride, rows, columns, 1, gradientColumns(frame, tile));
  memory.fill(queryGradients(frame, tile), 0, (room(frame) * depth8(frame)) << 2);

  const sinks = address(frame, Slot.sinks);
  const sink = sinks ? load<f32>(sinks + ((<usize>h) << 2)) : -(<f32>Infinity);
  const state =
    <usize>b * address(frame, Slot.logSumExpBatch) +
    <usize>h * address(frame, Slot.logSumExpHead) +
    <usize>first;
  let added: f64 = 0;
  for (let i = 0; i < rows; i++) {
    const lse = load<f32>(address(frame, Slot.logSumExp) + ((state + <usize>i) << 2));
    // A row that saw nothing: e^(s − ∞) is 0, whatever s.
    const base = lse == -(<f32>Infinity) ? <f32>Infinity : lse;
    store<f32>(bases(frame, tile) + ((<usize>i) << 2), base);
    const delta = load<f32>(deltas(frame, tile) + ((<usize>i) << 2));
    const weight = f32x4.extract_lane(exp(f32x4.splat(sink - base)), 0);
    if (weight != 0) added -= <f64>weight * delta;
  }
  return added;
}

/** All rows, four to a panel. */
function packAll(source: usize, stride: usize, rows: i32, depth: i32, panels: usize): void {
  for (let i = 0; i < rows; i += REGISTER_ROWS) {
    packRows(source, stride, rows - i, depth, panels, 16);
    source += (stride << 2) * REGISTER_ROWS;
    panels += (<usize>depth) << 4;
  }
}

/** All columns, eight to a panel, finite and scaled. */
function packSides(
  frame: usize,
  source: usize,
  stride: usize,
  rows: i32,
  columns: i32,
  scale: f32,
  panel: usize,
): void {
  const count = (<usize>rows) << 3;
  for (let j = 0; j < columns; j += 8) {
    packColumns(source + ((<usize>j) << 2), stride, columns - j, rows, panel);
    if (scale != 1) scalePanels(panel, count, scale);
    if (!allFinite(panel, count)) dropNonFinite(panel, count);
    panel += room(frame) << 5;
  }
}

/**
 * Σ dO · O of all rows, in the order and the roundings of dP: where one weight is 1, delta is that dP
 * to the last bit, and dS is 0. `panel` has room for four rows of O.
 */
function writeDeltas(
  gradients: usize,
  output: usize,
  stride: usize,
  rows: i32,
  columns: i32,
  panel: usize,
  target: usize,
): void {
  for (let i = 0; i < rows; i += REGISTER_ROWS) {
    packRows(output, stride, rows - i, columns, panel, 16);
    let sum = f32x4.splat(0);
    let at = panel;
    for (let from = 0; from < columns; from += SCORE_SUM) {
      let part = f32x4.splat(0);
      const end = at + ((<usize>min(SCORE_SUM, columns - from)) << 4);
      for (; at < end; at += 16) {
        part = madd(v128.load(gradients), v128.load(at), part);
        gradients += 16;
      }
      sum = from ? f32x4.add(part, sum) : part;
    }
    v128.store(target, sum);
    output += (stride << 2) * REGISTER_ROWS;
    target += 16;
  }
}

/** Writes the query gradients, which are of the scaled queries. */
export function finishRowTile(
  frame: usize,
  tile: usize,
  b: i32,
  h: i32,
  first: i32,
  rows: i32,
): void {
  const scale = number(frame, Slot.scale);
  const bytes = address(frame, Slot.headSize) << 2;
  let source = queryGradients(frame, tile);
  for (let i = 0; i < rows; i++) {
    const target = element(frame, Slot.queryGradient, Slot.queryBatch, b, h, first + i);
    for (let j: usize = 0; j < bytes; j += 4) {
      store<f32>(target + j, load<f32>(source + j) * scale);
    }
    source += depth8(frame) << 2;
  }
}
