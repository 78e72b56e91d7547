// The mask, boolean or additive, broadcast over [B, H, L, S] by its strides.
//
// A key that is left out gets the score −∞ by replacement, never by addition:
// NaN + −∞ would let a masked key's NaN through.

import { MaskKind } from "../../kinds";
import { AttendFrame } from "../frame";
import { Tile } from "../tile";

const MASKED: f32 = -(<f32>Infinity);

/** Elements before (b, h, row, column) in the mask, or in its gradient. */
// @ts-ignore: decorator
@inline
export function maskOffset(frame: AttendFrame, b: i32, h: i32, row: i32, column: i32): usize {
  return (
    <usize>b * frame.maskBatch +
    <usize>h * frame.maskHead +
    <usize>row * frame.maskRow +
    <usize>column * frame.maskColumn
  );
}

/** True where the mask leaves out every key of the tile, which then need not be scored. */
export function tileIsMasked(frame: AttendFrame, tile: Tile): bool {
  const boolean = frame.maskKind == MaskKind.boolean;
  let columns = min(tile.columns, frame.maskColumns - tile.column);
  // One row or one column stands for all where the mask is broadcast.
  const rows = frame.maskRow ? tile.rows : 1;
  if (!frame.maskColumn) columns = min(columns, 1);
  for (let i = 0; i < rows; i++) {
    const offset = maskOffset(frame, tile.b, tile.h, tile.row + i, tile.column);
    const at = frame.mask + (boolean ? offset : offset << 2);
    for (let j = 0; j < columns; j++) {
      if (boolean ? load<u8>(at + <usize>j) != 0 : load<f32>(at + ((<usize>j) << 2)) != MASKED)
        return false;
    }
  }
  return true;
}

/** Applies a boolean mask, or adds a bias, on the scores of row i of the tile. */
export function maskScores(frame: AttendFrame, tile: Tile, i: i32, scores: usize): void {
  const step = frame.maskColumn;
  const columns = max(min(tile.columns, frame.maskColumns - tile.column), 0);
  for (let j = columns; j < tile.columns; j++) store<f32>(scores + ((<usize>j) << 2), MASKED);
  const offset = maskOffset(frame, tile.b, tile.h, tile.row + i, tile.column);
  if (frame.maskKind == MaskKind.boolean) {
    const mask = frame.mask + offset;
    for (let j: usize = 0; j < <usize>columns; j++) {
      if (!load<u8>(mask + j * step)) store<f32>(scores + (j << 2), MASKED);
    }
    return;
  }
  const mask = frame.mask + (offset << 2);
  const masked = f32x4.splat(MASKED);
  let j: usize = 0;
  for (; j + 4 <= <usize>columns; j += 4) {
    const bias = step ? v128.load(mask + (j << 2)) : v128.load32_splat(mask);
    const biased = f32x4.add(v128.load(scores + (j << 2)), bias);
    v128.store(scores + (j << 2), v128.bitselect(masked, biased, f32x4.eq(bias, masked)));
  }
  for (; j < <usize>columns; j++) {
    const bias = load<f32>(mask + ((j * step) << 2));
    const score = load<f32>(scores + (j << 2));
    store<f32>(scores + (j << 2), bias == MASKED ? MASKED : score + bias);
  }
}
