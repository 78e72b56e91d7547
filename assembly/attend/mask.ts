// The mask, boolean or additive, broadcast over [B, H, L, S] by its strides.
//
// A key that is left out gets the score −∞ by replacement, never by addition:
// NaN + −∞ would let a masked key's NaN through.

import { MaskKind, Slot } from "../frame";
import { address, size } from "../slots";

const MASKED: f32 = -(<f32>Infinity);

/** Byte address of element (b, h, row, column) of the mask, or of its gradient. */
// @ts-ignore: decorator
@inline
export function maskElement(
  frame: usize,
  base: i32,
  b: i32,
  h: i32,
  row: i32,
  column: i32,
  log2Bytes: usize,
): usize {
  const offset =
    <usize>b * address(frame, Slot.maskBatch) +
    <usize>h * address(frame, Slot.maskHead) +
    <usize>row * address(frame, Slot.maskRow) +
    <usize>column * address(frame, Slot.maskColumn);
  return address(frame, base) + (offset << log2Bytes);
}

/** True where the mask leaves out every key of the tile, which then need not be scored. */
export function tileIsMasked(
  frame: usize,
  b: i32,
  h: i32,
  row: i32,
  rows: i32,
  column: i32,
  columns: i32,
): bool {
  const boolean = size(frame, Slot.maskKind) == MaskKind.boolean;
  columns = min(columns, size(frame, Slot.maskColumns) - column);
  const step = address(frame, Slot.maskColumn);
  // One row or one column stands for all where the mask is broadcast.
  if (!address(frame, Slot.maskRow)) rows = 1;
  if (!step) columns = min(columns, 1);
  for (let i = 0; i < rows; i++) {
    const at = maskElement(frame, Slot.mask, b, h, row + i, column, boolean ? 0 : 2);
    for (let j = 0; j < columns; j++) {
      if (boolean ? load<u8>(at + <usize>j) != 0 : load<f32>(at + ((<usize>j) << 2)) != MASKED)
        return false;
    }
  }
  return true;
}

/** Applies a boolean mask, or adds a bias, on one row of the tile. */
export function maskScores(
  frame: usize,
  scores: usize,
  b: i32,
  h: i32,
  row: i32,
  column: i32,
  columns: i32,
): void {
  const step = address(frame, Slot.maskColumn);
  const covered = max(min(columns, size(frame, Slot.maskColumns) - column), 0);
  for (let j = covered; j < columns; j++) store<f32>(scores + ((<usize>j) << 2), MASKED);
  columns = covered;
  if (size(frame, Slot.maskKind) == MaskKind.boolean) {
    const mask = maskElement(frame, Slot.mask, b, h, row, column, 0);
    for (let j: usize = 0; j < <usize>columns; j++) {
      if (!load<u8>(mask + j * step)) store<f32>(scores + (j << 2), MASKED);
    }
    return;
  }
  const mask = maskElement(frame, Slot.mask, b, h, row, column, 2);
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
