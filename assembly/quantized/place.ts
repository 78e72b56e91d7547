// Where a number of a weight is read, and where its scale goes.

import { OffsetKind } from "../kinds";
import { QuantizedFrame } from "./frame";

/** Where one column's segment goes, and which one it is. */
@unmanaged
export class Place {
  /** Its scales. */
  head: usize = 0;
  numbers: usize = 0;
  column: i32 = 0;
  /** Inputs [from, from + count). */
  from: i32 = 0;
  count: i32 = 0;
}

/** The scale of a column's segment, and its offset where there are some. */
export function putScale(frame: QuantizedFrame, place: Place, scale: f32, offset: f32): void {
  const at = place.head + ((<usize>(place.column & 7)) << 2);
  store<f32>(at, scale);
  if (frame.offsets != OffsetKind.none) store<f32>(at + 32, offset);
}

/** Index of an element of `weight`, which is [columns × depth] or [depth × columns]. */
// @ts-ignore: decorator
@inline
export function elementAt(frame: QuantizedFrame, column: i32, i: i32): usize {
  return frame.outputIsRow
    ? <usize>column * <usize>frame.depth + <usize>i
    : <usize>i * <usize>frame.columns + <usize>column;
}
