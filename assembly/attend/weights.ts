// The weights a caller asked to see: w = 2^((s − m)·c) / l for every key.
//
// While keys stream by, a tile's scores are kept; when the row's state is final they
// are turned into weights in place. `rows` are the tile's rows of [queries × keys],
// either the result itself or, for the mean over heads, a buffer added to it.

import { baseOf, exponentiate } from "../softmax/state";
import { KEYS } from "../tiles";

/** Copies `columns` scores of each row to column `from`, or −∞ where the tile was skipped (scores = 0). */
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
    if (scores) {
      memory.copy(target, scores + ((<usize>i * KEYS) << 2), (<usize>columns) << 2);
    } else {
      for (let j = 0; j < columns; j++) store<f32>(target + ((<usize>j) << 2), -(<f32>Infinity));
    }
  }
}

/** Turns the `seen` kept scores of one row into weights; keys past them get 0. `block` holds KEYS floats. */
export function finishWeights(
  kept: usize,
  seen: i32,
  keys: i32,
  m: f32,
  l: f32,
  c: f32,
  block: usize,
): void {
  const inverse: f32 = l == 0 ? 0 : <f32>1 / l;
  for (let j = 0; j < seen; j += KEYS) {
    const count = min(seen - j, KEYS);
    const at = kept + ((<usize>j) << 2);
    memory.copy(block, at, (<usize>count) << 2);
    memory.fill(block + ((<usize>count) << 2), 0, (<usize>(KEYS - count)) << 2);
    exponentiate(block, (count + 7) & ~7, baseOf(m), c);
    for (let i: usize = 0; i < (<usize>count) << 2; i += 4) {
      store<f32>(at + i, load<f32>(block + i) * inverse);
    }
  }
  memory.fill(kept + ((<usize>seen) << 2), 0, (<usize>(keys - seen)) << 2);
}

/** mean += weights / heads over one row; the first head starts the sum. */
export function addToMean(weights: usize, mean: usize, keys: i32, heads: i32, first: bool): void {
  const share = <f32>1 / <f32>heads;
  for (let i: usize = 0; i < (<usize>keys) << 2; i += 4) {
    const sum = first ? <f32>0 : load<f32>(mean + i);
    store<f32>(mean + i, sum + load<f32>(weights + i) * share);
  }
}
