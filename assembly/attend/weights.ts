// The weights a caller asked to see: w = e^(s − m) / l for every key.
//
// While keys stream by, a tile's scores are kept; when the row's state is final they
// are turned into weights in place. `rows` are the tile's rows of [queries × keys],
// either the result itself or, for the mean over heads, a buffer added to it.

import { Slot } from "../frame";
import { address } from "../slots";
import { baseOf, exponentiate } from "../softmax/state";
import { KEYS } from "../tiles";

/** Row `row` of matrix `index` in a result [matrices, queries, keys]. */
export function matrixRow(frame: usize, base: i32, index: i32, row: i32): usize {
  const rows = <usize>index * address(frame, Slot.queries) + <usize>row;
  return address(frame, base) + ((rows * address(frame, Slot.keys)) << 2);
}

/** Columns [from, to) of rows of scores that nothing has been kept in yet. */
export function clearScores(kept: usize, rows: i32, stride: usize, from: i32, to: i32): void {
  for (let i = 0; i < rows; i++) {
    const row = kept + ((<usize>i * stride) << 2);
    const end = row + ((<usize>to) << 2);
    for (let at = row + ((<usize>from) << 2); at < end; at += 4) {
      store<f32>(at, -(<f32>Infinity));
    }
  }
}

/** Copies `columns` scores of each row to column `from`. */
export function keepScores(
  scores: usize,
  kept: usize,
  stride: usize,
  from: i32,
  rows: i32,
  columns: i32,
): void {
  for (let i = 0; i < rows; i++) {
    const target = kept + ((<usize>i * stride + <usize>from) << 2);
    memory.copy(target, scores + ((<usize>i * KEYS) << 2), (<usize>columns) << 2);
  }
}

/** Turns the kept scores of one row into weights. `block` holds KEYS floats. */
export function finishWeights(kept: usize, keys: i32, m: f32, l: f32, block: usize): void {
  const inverse: f32 = l == 0 ? 0 : <f32>1 / l;
  for (let j = 0; j < keys; j += KEYS) {
    const count = min(keys - j, KEYS);
    const at = kept + ((<usize>j) << 2);
    memory.copy(block, at, (<usize>count) << 2);
    memory.fill(block + ((<usize>count) << 2), 0, (<usize>(KEYS - count)) << 2);
    exponentiate(block, (count + 7) & ~7, baseOf(m));
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
