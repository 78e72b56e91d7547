// Which keys a query sees, applied to a tile of scores [rows × KEYS] before the softmax.
//
// A key that is left out gets the score −∞ by replacement, never by addition:
// NaN + −∞ would let a masked key's NaN through. Rows are ROW bytes apart.

import { MaskKind, Slot } from "../frame";
import { address, number, size } from "../slots";
import { KEYS } from "../tiles";

const ROW: usize = (<usize>KEYS) << 2;
const MASKED: f32 = -(<f32>Infinity);

/** Number of keys the query at `position` may see, of `keys`: causal means key j ≤ position. */
// @ts-ignore: decorator
@inline
export function visibleKeys(frame: usize, position: i32, keys: i32): i32 {
  if (!size(frame, Slot.causal)) return keys;
  return position < 0 ? 0 : position < keys ? position + 1 : keys;
}

/** Leaves out the columns from `from` to the end of the last eight. */
// @ts-ignore: decorator
@inline
export function fillMasked(scores: usize, from: i32, to: i32): void {
  for (let j = from; j < to; j++) store<f32>(scores + ((<usize>j) << 2), MASKED);
}

/** Byte address of the mask's element (b, h, row, column). */
// @ts-ignore: decorator
@inline
function maskElement(frame: usize, b: i32, h: i32, row: i32, column: i32, log2Bytes: usize): usize {
  const offset =
    <usize>b * address(frame, Slot.maskBatch) +
    <usize>h * address(frame, Slot.maskHead) +
    <usize>row * address(frame, Slot.maskRow) +
    <usize>column * address(frame, Slot.maskColumn);
  return address(frame, Slot.mask) + (offset << log2Bytes);
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
  const step = address(frame, Slot.maskColumn);
  // One row or one column stands for all where the mask is broadcast.
  if (!address(frame, Slot.maskRow)) rows = 1;
  if (!step) columns = 1;
  for (let i = 0; i < rows; i++) {
    const at = maskElement(frame, b, h, row + i, column, boolean ? 0 : 2);
    for (let j = 0; j < columns; j++) {
      if (boolean ? load<u8>(at + <usize>j) != 0 : load<f32>(at + ((<usize>j) << 2)) != MASKED)
        return false;
    }
  }
  return true;
}

/** Applies a boolean mask, or scales the scores and adds a bias, on one row of the tile. */
export function maskRow(
  frame: usize,
  scores: usize,
  b: i32,
  h: i32,
  row: i32,
  column: i32,
  columns: i32,
): void {
  const step = address(frame, Slot.maskColumn);
  if (size(frame, Slot.maskKind) == MaskKind.boolean) {
    const mask = maskElement(frame, b, h, row, column, 0);
    for (let j: usize = 0; j < <usize>columns; j++) {
      if (!load<u8>(mask + j * step)) store<f32>(scores + (j << 2), MASKED);
    }
    return;
  }
  const mask = maskElement(frame, b, h, row, column, 2);
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

/** Multiplies `count` scores (a multiple of 4) by the scale, where a bias follows it. */
export function scaleRow(frame: usize, scores: usize, count: i32): void {
  const scale = f32x4.splat(number(frame, Slot.scale));
  const end = scores + ((<usize>count) << 2);
  for (; scores < end; scores += 16) v128.store(scores, f32x4.mul(v128.load(scores), scale));
}

/** Rows of scores lie this many bytes apart. */
export function tileRow(): usize {
  return ROW;
}
