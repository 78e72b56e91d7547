// The block mask: one byte for a square of `blockSize` queries by `blockSize` keys,
// [B|1, H|1, ⌈L/size⌉, ⌈S/size⌉]; 0 leaves the whole block out.

import { Slot } from "../frame";
import { address, size } from "../slots";

// @ts-ignore: decorator
@inline
function blockRow(frame: usize, b: i32, h: i32, row: i32): usize {
  return (
    address(frame, Slot.blocks) +
    <usize>b * address(frame, Slot.blocksBatch) +
    <usize>h * address(frame, Slot.blocksHead) +
    <usize>(row / size(frame, Slot.blockSize)) * address(frame, Slot.blocksRow)
  );
}

/** True where every block that the tile touches is left out. */
export function tileIsBlocked(
  frame: usize,
  b: i32,
  h: i32,
  row: i32,
  rows: i32,
  column: i32,
  columns: i32,
): bool {
  const block = size(frame, Slot.blockSize);
  const step = address(frame, Slot.blocksColumn);
  for (let i = row / block; i <= (row + rows - 1) / block; i++) {
    const blocks = blockRow(frame, b, h, i * block);
    for (let j = column / block; j <= (column + columns - 1) / block; j++) {
      if (load<u8>(blocks + <usize>j * step)) return false;
    }
  }
  return true;
}

/** Leaves out the keys of one row of scores whose block is left out. */
export function blockScores(
  frame: usize,
  scores: usize,
  b: i32,
  h: i32,
  row: i32,
  column: i32,
  columns: i32,
): void {
  const block = size(frame, Slot.blockSize);
  const step = address(frame, Slot.blocksColumn);
  const blocks = blockRow(frame, b, h, row);
  let j = 0;
  while (j < columns) {
    const index = (column + j) / block;
    const end = <i32>min(<i64>(index + 1) * block - column, <i64>columns);
    if (load<u8>(blocks + <usize>index * step)) j = end;
    else for (; j < end; j++) store<f32>(scores + ((<usize>j) << 2), -(<f32>Infinity));
  }
}
