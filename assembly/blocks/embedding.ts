// result[i] = table[ids[i]] · scale, and the table's gradient: that of row r is the sum of those of all i
// with ids[i] = r, in order, times the scale; 0 for the padding row.
//
// Forward an item is some rows; backward some columns of all rows, so that no two items add to one number.

import { EmbeddingFrame } from "./frame";
import { loadLanes, storeLanes } from "./lanes";
import { madd } from "../simd/lanes";
import { itemRows, partsOf } from "./parts";

/** Columns of an item of the backward pass. */
const COLUMNS: i32 = 64;

export function embeddingItems(frame: EmbeddingFrame): i32 {
  return partsOf(frame.rows, itemRows(frame.columns));
}

export function embeddingRun(frame: EmbeddingFrame, item: i32): void {
  const bytes = (<usize>frame.columns) << 2;
  const factor = f32x4.splat(frame.scale);
  const size = itemRows(frame.columns);
  const end = min((item + 1) * size, frame.rows);
  for (let i = item * size; i < end; i++) {
    const source = frame.input + <usize>load<i32>(frame.ids + ((<usize>i) << 2)) * bytes;
    const target = frame.result + <usize>i * bytes;
    let at: usize = 0;
    for (let left = frame.columns; left > 0; left -= 4) {
      storeLanes(target + at, f32x4.mul(loadLanes(source + at, left), factor), left);
      at += 16;
    }
  }
}

export function embeddingBackwardItems(frame: EmbeddingFrame): i32 {
  return partsOf(frame.columns, COLUMNS);
}

export function embeddingBackwardRun(frame: EmbeddingFrame, item: i32): void {
  const bytes = (<usize>frame.columns) << 2;
  const first = item * COLUMNS;
  const columns = min(COLUMNS, frame.columns - first);
  const gradients = frame.outputGradient + ((<usize>first) << 2);
  const result = frame.result + ((<usize>first) << 2);
  for (let r: usize = 0; r < <usize>frame.count; r++) {
    memory.fill(result + r * bytes, 0, (<usize>columns) << 2);
  }
  const factor = f32x4.splat(frame.scale);
  for (let i: usize = 0; i < <usize>frame.rows; i++) {
    const id = load<i32>(frame.ids + (i << 2));
    if (id == frame.padding) continue;
    const source = gradients + i * bytes;
    const target = result + <usize>id * bytes;
    let at: usize = 0;
    for (let left = columns; left > 0; left -= 4) {
      const sum = madd(loadLanes(source + at, left), factor, loadLanes(target + at, left));
      storeLanes(target + at, sum, left);
      at += 16;
    }
  }
}
