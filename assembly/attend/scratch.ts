// What a thread's tiles use in turn; before it, what a step gathers:
//
//   product   Product
//   scores    [rows][KEYS]
//   spare     as many: a copy of the scores
//   block     one row of them

import { Product } from "../gemm/products";
import { TILE_ROW } from "../tiles";
import { AttendFrame } from "./frame";
import { tileRows } from "./rows";

const PRODUCT_BYTES: usize = 64;

/** The rows that a step gathers, in front of the thread's scratch. */
// @ts-ignore: decorator
@inline
export function gatheredOf(frame: AttendFrame, scratch: usize): usize {
  return scratch - frame.gatherBytes;
}

/** Bytes of it. */
export function scratchTileBytes(frame: AttendFrame): usize {
  return PRODUCT_BYTES + <usize>(2 * tileRows(frame) + 1) * TILE_ROW;
}

// @ts-ignore: decorator
@inline
export function productOf(scratch: usize): Product {
  return changetype<Product>(scratch);
}

// @ts-ignore: decorator
@inline
export function scoresOf(scratch: usize): usize {
  return scratch + PRODUCT_BYTES;
}

// @ts-ignore: decorator
@inline
export function spareOf(frame: AttendFrame, scratch: usize): usize {
  return scoresOf(scratch) + <usize>tileRows(frame) * TILE_ROW;
}

// @ts-ignore: decorator
@inline
export function blockOf(frame: AttendFrame, scratch: usize): usize {
  return spareOf(frame, scratch) + <usize>tileRows(frame) * TILE_ROW;
}
