// The weights a caller asked to see: w = e^(s − m) / l for every key.
//
// While keys stream by, a tile's scores are stored in the rows of weights; when the row's state is final
// they become weights in place. Those rows are the result itself or, for the mean over heads, a buffer
// that is added to it.

import { exponentiate, finiteBase } from "../../softmax/state";
import { KEYS } from "../../tiles";
import { AttendFrame } from "../frame";
import { Tile } from "../tile";

/** The tile's first row in a result [batch, heads, queries, keys]. */
export function matrixRow(frame: AttendFrame, base: usize, tile: Tile): usize {
  const matrix = <usize>(tile.b * frame.heads + tile.h);
  const row = matrix * <usize>frame.queries + <usize>tile.row;
  return base + ((row * <usize>frame.keys) << 2);
}

/** Row `row` of batch b in a result [batch, queries, keys]. */
export function meanRow(frame: AttendFrame, b: i32, row: i32): usize {
  const index = <usize>b * <usize>frame.queries + <usize>row;
  return frame.weights + ((index * <usize>frame.keys) << 2);
}

/** Columns [from, to) of rows that no score has been stored in yet. */
export function clearScores(stored: usize, rows: i32, stride: usize, from: i32, to: i32): void {
  for (let i = 0; i < rows; i++) {
    const row = stored + ((<usize>i * stride) << 2);
    const end = row + ((<usize>to) << 2);
    for (let at = row + ((<usize>from) << 2); at < end; at += 4) {
      store<f32>(at, -(<f32>Infinity));
    }
  }
}

/** Copies the tile's scores into rows of all keys, at a stride of `stride` elements. */
export function storeScores(tile: Tile, scores: usize, stored: usize, stride: usize): void {
  for (let i = 0; i < tile.rows; i++) {
    const target = stored + ((<usize>i * stride + <usize>tile.column) << 2);
    memory.copy(target, scores + ((<usize>i * KEYS) << 2), (<usize>tile.columns) << 2);
  }
}

/** Makes weights of one row's stored scores. `block` is of KEYS floats. */
// @ts-ignore: decorator
@inline
export function finishWeights(stored: usize, keys: i32, m: f32, l: f32, block: usize): void {
  const inverse: f32 = l == 0 ? 0 : <f32>1 / l;
  for (let j = 0; j < keys; j += KEYS) {
    const count = min(keys - j, KEYS);
    const at = stored + ((<usize>j) << 2);
    memory.copy(block, at, (<usize>count) << 2);
    memory.fill(block + ((<usize>count) << 2), 0, (<usize>(KEYS - count)) << 2);
    exponentiate(block, (count + 7) & ~7, finiteBase(m));
    for (let i: usize = 0; i < (<usize>count) << 2; i += 4) {
      store<f32>(at + i, load<f32>(block + i) * inverse);
    }
  }
}

/** mean += weights / heads over one row; the first head starts the sum. */
export function addToMean(weights: usize, mean: usize, keys: i32, heads: i32, first: bool): void {
  const share = <f32>1 / <f32>heads;
  for (let i: usize = 0; i < (<usize>keys) << 2; i += 4) {
    const sum = first ? <f32>0 : load<f32>(mean + i);
    store<f32>(mean + i, sum + load<f32>(weights + i) * share);
  }
}
