// The masks, boolean or additive, each broadcast over [B, H, L, S] by its strides and applied in the
// order of the frame:
//
//   s ← s + mask      or −∞ where a mask leaves the key out
//
// A key that is left out gets the score −∞ by replacement, never by addition: NaN + −∞ would let a
// masked key's NaN through. It stays left out, whatever a later mask adds: −∞ + ∞ is NaN.

import { MaskField, MaskKind, Slot } from "../frame";
import { address, size } from "../slots";

const MASKED: f32 = -(<f32>Infinity);
const RECORD: usize = (<usize>MaskField.count) << 2;

/** The first mask's record, to be read as a frame is by MaskField. */
// @ts-ignore: decorator
@inline
export function firstMask(frame: usize): usize {
  return frame + ((<usize>Slot.masks) << 2);
}

/** The record after `mask`. */
// @ts-ignore: decorator
@inline
export function nextMask(mask: usize): usize {
  return mask + RECORD;
}

/** Where the records end. */
// @ts-ignore: decorator
@inline
export function masksEnd(frame: usize): usize {
  return firstMask(frame) + address(frame, Slot.maskCount) * RECORD;
}

/** Byte address of element (b, h, row, column) of a mask's data or gradient. */
// @ts-ignore: decorator
@inline
export function maskElement(
  mask: usize,
  base: i32,
  b: i32,
  h: i32,
  row: i32,
  column: i32,
  log2Bytes: usize,
): usize {
  const offset =
    <usize>b * address(mask, MaskField.batch) +
    <usize>h * address(mask, MaskField.head) +
    <usize>row * address(mask, MaskField.row) +
    <usize>column * address(mask, MaskField.column);
  return address(mask, base) + (offset << log2Bytes);
}

/** True where a mask leaves out every key of the tile, which then need not be scored. */
export function tileIsMasked(
  frame: usize,
  b: i32,
  h: i32,
  row: i32,
  rows: i32,
  column: i32,
  columns: i32,
): bool {
  const end = masksEnd(frame);
  for (let mask = firstMask(frame); mask < end; mask = nextMask(mask)) {
    if (leavesOut(mask, b, h, row, rows, column, columns)) return true;
  }
  return false;
}

function leavesOut(
  mask: usize,
  b: i32,
  h: i32,
  row: i32,
  rows: i32,
  column: i32,
  columns: i32,
): bool {
  const boolean = size(mask, MaskField.kind) == MaskKind.boolean;
  columns = min(columns, size(mask, MaskField.columns) - column);
  // One row or one column stands for all where the mask is broadcast.
  if (!address(mask, MaskField.row)) rows = 1;
  if (!address(mask, MaskField.column)) columns = min(columns, 1);
  for (let i = 0; i < rows; i++) {
    const at = maskElement(mask, MaskField.data, b, h, row + i, column, boolean ? 0 : 2);
    for (let j = 0; j < columns; j++) {
      if (boolean ? load<u8>(at + <usize>j) != 0 : load<f32>(at + ((<usize>j) << 2)) != MASKED)
        return false;
    }
  }
  return true;
}

/** Applies all masks to one row of the tile. */
export function maskScores(
  frame: usize,
  scores: usize,
  b: i32,
  h: i32,
  row: i32,
  column: i32,
  columns: i32,
): void {
  const first = firstMask(frame);
  const end = masksEnd(frame);
  for (let mask = first; mask < end; mask = nextMask(mask)) {
    const covered = max(min(columns, size(mask, MaskField.columns) - column), 0);
    for (let j = covered; j < columns; j++) store<f32>(scores + ((<usize>j) << 2), MASKED);
    if (size(mask, MaskField.kind) == MaskKind.boolean) {
      leaveOut(mask, scores, maskElement(mask, MaskField.data, b, h, row, column, 0), covered);
    } else {
      const bias = maskElement(mask, MaskField.data, b, h, row, column, 2);
      if (mask == first) addBias(mask, scores, bias, covered, false);
      else addBias(mask, scores, bias, covered, true);
    }
  }
}

// @ts-ignore: decorator
@inline
function leaveOut(mask: usize, scores: usize, takesPart: usize, columns: i32): void {
  const step = address(mask, MaskField.column);
  for (let j: usize = 0; j < <usize>columns; j++) {
    if (!load<u8>(takesPart + j * step)) store<f32>(scores + (j << 2), MASKED);
  }
}

/** `later`: a mask before this one may have left keys out. */
// @ts-ignore: decorator
@inline
function addBias(mask: usize, scores: usize, biases: usize, columns: i32, later: bool): void {
  const step = address(mask, MaskField.column);
  const masked = f32x4.splat(MASKED);
  let j: usize = 0;
  for (; j + 4 <= <usize>columns; j += 4) {
    const bias = step ? v128.load(biases + (j << 2)) : v128.load32_splat(biases);
    const score = v128.load(scores + (j << 2));
    let out = f32x4.eq(bias, masked);
    if (later) out = v128.or(out, f32x4.eq(score, masked));
    v128.store(scores + (j << 2), v128.bitselect(masked, f32x4.add(score, bias), out));
  }
  for (; j < <usize>columns; j++) {
    const bias = load<f32>(biases + ((j * step) << 2));
    const score = load<f32>(scores + (j << 2));
    const out = bias == MASKED || (later && score == MASKED);
    store<f32>(scores + (j << 2), out ? MASKED : score + bias);
  }
}
