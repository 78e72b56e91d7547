// What lies behind the Rows of a tile of query rows in bytes.

import { AttendFrame } from "../../attend/frame";
import { Rows, rowsBytes, tileRows } from "../../attend/rows";
import { byteForm, numberBytes } from "../../simd/bytes";
import { ceil8, KEYS } from "../../tiles";
import { IntegerProduct, PRODUCT_BYTES } from "../products";

/**
 * Bit i of it: row i has no scale; and where the head's factors lie. Then the product; scales of queries, of
 * weights, o and Σ w, [rows] each; queries and weights, [rows].
 */
// @ts-ignore: decorator
@inline
export function specialOf(frame: AttendFrame, r: Rows): usize {
  return changetype<usize>(r) + <usize>rowsBytes(frame);
}

// @ts-ignore: decorator
@inline
export function productAt(frame: AttendFrame, r: Rows): IntegerProduct {
  return changetype<IntegerProduct>(specialOf(frame, r) + 64);
}

/** The `index`-th float32 of each row. */
// @ts-ignore: decorator
@inline
function perRow(frame: AttendFrame, r: Rows, index: usize): usize {
  const first = specialOf(frame, r) + 64 + PRODUCT_BYTES;
  return first + index * ((<usize>tileRows(frame)) << 2);
}

// @ts-ignore: decorator
@inline
export function queryScales(frame: AttendFrame, r: Rows): usize {
  return perRow(frame, r, 0);
}

// @ts-ignore: decorator
@inline
export function weightScales(frame: AttendFrame, r: Rows): usize {
  return perRow(frame, r, 1);
}

// @ts-ignore: decorator
@inline
export function offsets(frame: AttendFrame, r: Rows): usize {
  return perRow(frame, r, 2);
}

// @ts-ignore: decorator
@inline
export function weightSums(frame: AttendFrame, r: Rows): usize {
  return perRow(frame, r, 3);
}

// @ts-ignore: decorator
@inline
export function queryNumbers(frame: AttendFrame, r: Rows): usize {
  return perRow(frame, r, 4);
}

/** Bytes of a row of queries. */
// @ts-ignore: decorator
@inline
export function queryRowBytes(frame: AttendFrame): usize {
  return <usize>ceil8(frame.headSize) * numberBytes(byteForm());
}

// @ts-ignore: decorator
@inline
export function weightNumbers(frame: AttendFrame, r: Rows): usize {
  return queryNumbers(frame, r) + <usize>tileRows(frame) * queryRowBytes(frame);
}

export function byteRowsBytes(frame: AttendFrame): u64 {
  const numbers = <u64>queryRowBytes(frame) + <u64>KEYS * numberBytes(byteForm());
  const rows = <u64>tileRows(frame) * (16 + numbers);
  return (rowsBytes(frame) + 64 + PRODUCT_BYTES + rows + 63) & ~63;
}
