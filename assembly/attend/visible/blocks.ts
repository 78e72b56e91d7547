// The block mask: one byte for a square of `blockSize` queries by `blockSize` keys,
// [B|1, H|1, ⌈L/size⌉, ⌈S/size⌉]; 0 leaves the whole block out.

import { AttendFrame } from "../frame";
import { Tile } from "../tile";

// @ts-ignore: decorator
@inline
function blockRow(frame: AttendFrame, tile: Tile, row: i32): usize {
  return (
    frame.blocks +
    <usize>tile.b * frame.blocksBatch +
    <usize>tile.h * frame.blocksHead +
    <usize>(row / frame.blockSize) * frame.blocksRow
  );
}

/** True where every block that the tile touches is left out. */
export function tileIsBlocked(frame: AttendFrame, tile: Tile): bool {
  const block = frame.blockSize;
  const lastRow = (tile.row + tile.rows - 1) / block;
  const lastColumn = (tile.column + tile.columns - 1) / block;
  for (let i = tile.row / block; i <= lastRow; i++) {
    const blocks = blockRow(frame, tile, i * block);
    for (let j = tile.column / block; j <= lastColumn; j++) {
      if (load<u8>(blocks + <usize>j * frame.blocksColumn)) return false;
    }
  }
  return true;
}

/** Leaves out the keys of row i of the tile whose block is left out. */
export function blockScores(frame: AttendFrame, tile: Tile, i: i32, scores: usize): void {
  const block = frame.blockSize;
  const blocks = blockRow(frame, tile, tile.row + i);
  let j = 0;
  while (j < tile.columns) {
    const index = (tile.column + j) / block;
    const end = <i32>min(<i64>(index + 1) * block - tile.column, <i64>tile.columns);
    if (load<u8>(blocks + <usize>index * frame.blocksColumn)) j = end;
    else for (; j < end; j++) store<f32>(scores + ((<usize>j) << 2), -(<f32>Infinity));
  }
}
