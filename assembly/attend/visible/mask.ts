// The masks, boolean or additive, each broadcast over [B, H, L, S] by its strides and applied in the
// order of the frame:
//
//   s ← s + mask      or −∞ where a mask leaves the key out
//
// A key that is left out gets the score −∞ by replacement, never by addition: NaN + −∞ would let a
// masked key's NaN through. It stays left out, whatever a later mask adds: −∞ + ∞ is NaN.

import { MaskKind } from "../../kinds";
import { AttendFrame, Mask } from "../frame";
import { Tile } from "../tile";

const MASKED: f32 = -(<f32>Infinity);

// @ts-ignore: decorator
@inline
export function maskAt(frame: AttendFrame, index: i32): Mask {
  const first = changetype<usize>(frame) + frame.masksAt;
  return changetype<Mask>(first + <usize>index * offsetof<Mask>());
}

/** Elements before row i of the tile in a mask, or in its gradient. */
// @ts-ignore: decorator
@inline
export function maskOffset(mask: Mask, tile: Tile, i: i32): usize {
  return (
    <usize>tile.b * mask.batch +
    <usize>tile.h * mask.head +
    <usize>(tile.row + i) * mask.row +
    <usize>tile.column * mask.column
  );
}

/** True where a mask leaves out every key of the tile, which then need not be scored. */
export function tileIsMasked(frame: AttendFrame, tile: Tile): bool {
  for (let index = 0; index < frame.maskCount; index++) {
    if (leavesOut(maskAt(frame, index), tile)) return true;
  }
  return false;
}

function leavesOut(mask: Mask, tile: Tile): bool {
  const boolean = mask.kind == MaskKind.boolean;
  let columns = min(tile.columns, mask.columns - tile.column);
  // One row or one column stands for all where the mask is broadcast.
  const rows = mask.row ? tile.rows : 1;
  if (!mask.column) columns = min(columns, 1);
  for (let i = 0; i < rows; i++) {
    const offset = maskOffset(mask, tile, i);
    const at = mask.data + (boolean ? offset : offset << 2);
    for (let j = 0; j < columns; j++) {
      if (boolean ? load<u8>(at + <usize>j) != 0 : load<f32>(at + ((<usize>j) << 2)) != MASKED)
        return false;
    }
  }
  return true;
}

/** Applies all masks to the scores of row i of the tile. */
export function maskScores(frame: AttendFrame, tile: Tile, i: i32, scores: usize): void {
  for (let index = 0; index < frame.maskCount; index++) {
    const mask = maskAt(frame, index);
    const columns = max(min(tile.columns, mask.columns - tile.column), 0);
    for (let j = columns; j < tile.columns; j++) store<f32>(scores + ((<usize>j) << 2), MASKED);
    const offset = maskOffset(mask, tile, i);
    if (mask.kind == MaskKind.boolean) leaveOut(mask, scores, mask.data + offset, columns);
    else if (index == 0) addBias(mask, scores, mask.data + (offset << 2), columns, false);
    else addBias(mask, scores, mask.data + (offset << 2), columns, true);
  }
}

// @ts-ignore: decorator
@inline
function leaveOut(mask: Mask, scores: usize, takesPart: usize, columns: i32): void {
  const step = mask.column;
  for (let j: usize = 0; j < <usize>columns; j++) {
    if (!load<u8>(takesPart + j * step)) store<f32>(scores + (j << 2), MASKED);
  }
}

/** `following`: a mask before this one may have left keys out. */
// @ts-ignore: decorator
@inline
function addBias(mask: Mask, scores: usize, biases: usize, columns: i32, following: bool): void {
  const step = mask.column;
  const masked = f32x4.splat(MASKED);
  let j: usize = 0;
  for (; j + 4 <= <usize>columns; j += 4) {
    const bias = step ? v128.load(biases + (j << 2)) : v128.load32_splat(biases);
    const score = v128.load(scores + (j << 2));
    let out = f32x4.eq(bias, masked);
    if (following) out = v128.or(out, f32x4.eq(score, masked));
    v128.store(scores + (j << 2), v128.bitselect(masked, f32x4.add(score, bias), out));
  }
  for (; j < <usize>columns; j++) {
    const bias = load<f32>(biases + ((j * step) << 2));
    const score = load<f32>(scores + (j << 2));
    const out = bias == MASKED || (following && score == MASKED);
    store<f32>(scores + (j << 2), out ? MASKED : score + bias);
  }
}
