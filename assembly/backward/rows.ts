// What a tile of query rows brings to the backward pass, packed once and read by every tile of keys:
//
//   queries           [⌈rows/4⌉][D][4] and [⌈D/8⌉][rows][8], scaled
//   output gradients  [⌈rows/4⌉][Dv][4] and [⌈Dv/8⌉][rows][8]
//   query gradients   [rows][⌈D⌉₈], which the tiles of keys add to
//   lse and delta     [rows], delta = Σ dO ∘ O, which is what Σ P ∘ dP comes to (Dao 2023); with gradients dW of
//                     returned weights and those of logSumExp, Σ dO ∘ O + Σ W ∘ dW − dlse
//
// Panels eight wide are the right sides of products whose left sides are 0 where a key is left out:
// NaN and Infinity in them are put as 0. Where they count, scores or delta carry them.

import { AttendFrame, outputStrides, queryStrides } from "../attend/frame";
import { ceil8 } from "../attend/panels";
import { tileRows } from "../attend/rows";
import { matrixRow } from "../attend/scores/weights";
import { Tile } from "../attend/tile";
import { allFinite, dropNonFinite, packColumns, packRows, scalePanels } from "../gemm/pack";
import { madd } from "../simd/lanes";
import { rescaling } from "../softmax/state";
import { rowAt } from "../strided";
import { REGISTER_ROWS, SCORE_SUM } from "../tiles";
import { BackwardFrame } from "./frame";

// @ts-ignore: decorator
@inline
function tileCapacity(frame: AttendFrame): usize {
  return <usize>tileRows(frame);
}

// @ts-ignore: decorator
@inline
function depth8(frame: AttendFrame): usize {
  return <usize>ceil8(frame.headSize);
}

// @ts-ignore: decorator
@inline
function columns8(frame: AttendFrame): usize {
  return <usize>ceil8(frame.valueSize);
}

/** Bytes of a tile of rows. */
export function rowTileBytes(frame: AttendFrame): u64 {
  const row =
    <usize>frame.headSize + <usize>frame.valueSize + 2 * depth8(frame) + columns8(frame) + 2;
  return (<u64>tileCapacity(frame) * row * 4 + 63) & ~63;
}

// @ts-ignore: decorator
@inline
export function queryRows(frame: AttendFrame, tile: usize): usize {
  return tile;
}

// @ts-ignore: decorator
@inline
export function gradientRows(frame: AttendFrame, tile: usize): usize {
  return tile + ((tileCapacity(frame) * <usize>frame.headSize) << 2);
}

// @ts-ignore: decorator
@inline
export function queryColumns(frame: AttendFrame, tile: usize): usize {
  return gradientRows(frame, tile) + ((tileCapacity(frame) * <usize>frame.valueSize) << 2);
}

// @ts-ignore: decorator
@inline
export function gradientColumns(frame: AttendFrame, tile: usize): usize {
  return queryColumns(frame, tile) + ((tileCapacity(frame) * depth8(frame)) << 2);
}

// @ts-ignore: decorator
@inline
export function queryGradients(frame: AttendFrame, tile: usize): usize {
  return gradientColumns(frame, tile) + ((tileCapacity(frame) * columns8(frame)) << 2);
}

// @ts-ignore: decorator
@inline
export function bases(frame: AttendFrame, tile: usize): usize {
  return queryGradients(frame, tile) + ((tileCapacity(frame) * depth8(frame)) << 2);
}

// @ts-ignore: decorator
@inline
export function deltas(frame: AttendFrame, tile: usize): usize {
  return bases(frame, tile) + (tileCapacity(frame) << 2);
}

/**
 * Packs the rows of the tile; no gradient yet. Gives what they add to the sink's gradient,
 * −Σ e^(sink − lse) · delta.
 */
export function beginRowTile(frame: BackwardFrame, t: Tile, tile: usize): f64 {
  const depth = frame.headSize;
  const columns = frame.valueSize;
  const query = rowAt(frame.query, queryStrides(frame), t.b, t.h, t.first);
  const gradient = rowAt(frame.outputGradient, outputStrides(frame), t.b, t.h, t.first);

  packAll(query, frame.queryRow, t.rows, depth, queryRows(frame, tile));
  scalePanels(queryRows(frame, tile), tileCapacity(frame) * depth, frame.scale);
  packAll(gradient, frame.outputRow, t.rows, columns, gradientRows(frame, tile));
  writeDeltas(frame, t, tile);
  const queries = queryColumns(frame, tile);
  packSides(query, frame.queryRow, t.rows, depth, queries, tileCapacity(frame));
  finishSides(queries, t.rows, depth, frame.scale, tileCapacity(frame));
  const gradients = gradientColumns(frame, tile);
  packSides(gradient, frame.outputRow, t.rows, columns, gradients, tileCapacity(frame));
  finishSides(gradients, t.rows, columns, 1, tileCapacity(frame));
  memory.fill(queryGradients(frame, tile), 0, (tileCapacity(frame) * depth8(frame)) << 2);

  const sink = frame.sinks ? load<f32>(frame.sinks + ((<usize>t.h) << 2)) : -(<f32>Infinity);
  const state =
    <usize>t.b * frame.logSumExpBatch + <usize>t.h * frame.logSumExpHead + <usize>t.first;
  let added: f64 = 0;
  for (let i = 0; i < t.rows; i++) {
    const lse = load<f32>(frame.logSumExp + ((state + <usize>i) << 2));
    // A row that saw nothing: e^(s − ∞) is 0, whatever s.
    const base = lse == -(<f32>Infinity) ? <f32>Infinity : lse;
    store<f32>(bases(frame, tile) + ((<usize>i) << 2), base);
    const at = deltas(frame, tile) + ((<usize>i) << 2);
    let delta = load<f32>(at);
    if (frame.logSumExpGradient)
      delta -= load<f32>(frame.logSumExpGradient + ((state + <usize>i) << 2));
    if (frame.weightsGradient) delta += <f32>weightDelta(frame, t, i);
    store<f32>(at, delta);
    const weight = rescaling(sink, base);
    if (weight != 0) added -= <f64>weight * delta;
  }
  return added;
}

/** Σ W ∘ dW of row i. */
function weightDelta(frame: BackwardFrame, t: Tile, i: i32): f64 {
  const first = (<usize>i * <usize>frame.keys) << 2;
  const weights = matrixRow(frame, frame.weights, t) + first;
  const gradients = matrixRow(frame, frame.weightsGradient, t) + first;
  let sum: f64 = 0;
  for (let j: usize = 0; j < (<usize>frame.keys) << 2; j += 4) {
    const weight = load<f32>(weights + j);
    // A key that is left out may have any gradient.
    if (weight != 0) sum += <f64>weight * <f64>load<f32>(gradients + j);
  }
  return sum;
}

/** All rows, four to a panel. */
function packAll(source: usize, stride: usize, rows: i32, depth: i32, panels: usize): void {
  for (let i = 0; i < rows; i += REGISTER_ROWS) {
    packRows(source, stride, rows - i, depth, panels, 16);
    source += (stride << 2) * REGISTER_ROWS;
    panels += (<usize>depth) << 4;
  }
}

/** All columns, eight to a panel of `capacity` rows. */
function packSides(
  source: usize,
  stride: usize,
  rows: i32,
  columns: i32,
  panel: usize,
  capacity: usize,
): void {
  for (let j = 0; j < columns; j += 8) {
    packColumns(source + ((<usize>j) << 2), stride, columns - j, rows, panel);
    panel += capacity << 5;
  }
}

/** Panels scaled, then finite. */
function finishSides(panel: usize, rows: i32, columns: i32, scale: f32, capacity: usize): void {
  const count = (<usize>rows) << 3;
  for (let j = 0; j < columns; j += 8) {
    if (scale != 1) scalePanels(panel, count, scale);
    if (!allFinite(panel, count)) dropNonFinite(panel, count);
    panel += capacity << 5;
  }
}

/**
 * Σ dO · O of all rows, in the order and the roundings of dP: where one weight is 1, delta is that dP
 * to the last bit, and dS is 0. Four rows of O are packed where the gradients' columns will lie.
 */
function writeDeltas(frame: BackwardFrame, t: Tile, tile: usize): void {
  const columns = frame.valueSize;
  const panel = gradientColumns(frame, tile);
  let output = rowAt(frame.output, outputStrides(frame), t.b, t.h, t.first);
  let gradients = gradientRows(frame, tile);
  let target = deltas(frame, tile);
  for (let i = 0; i < t.rows; i += REGISTER_ROWS) {
    packRows(output, frame.outputRow, t.rows - i, columns, panel, 16);
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
    output += (frame.outputRow << 2) * REGISTER_ROWS;
    target += 16;
  }
}

/** Writes the query gradients, which are of the scaled queries. */
export function finishRowTile(frame: BackwardFrame, t: Tile, tile: usize): void {
  const bytes = (<usize>frame.headSize) << 2;
  let source = queryGradients(frame, tile);
  for (let i = 0; i < t.rows; i++) {
    const target = rowAt(frame.queryGradient, queryStrides(frame), t.b, t.h, t.first + i);
    for (let j: usize = 0; j < bytes; j += 4) {
      store<f32>(target + j, load<f32>(source + j) * frame.scale);
    }
    source += depth8(frame) << 2;
  }
}
