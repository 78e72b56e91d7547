// Where a tile's keys and values lie: by their strides, or where a step of another module says, which may
// gather them in the thread's scratch.

import { rowAt } from "../strided";
import { AttendFrame, keyStrides, sequenceOf, valueStrides } from "./frame";

/** `count` keys from `from` on of key and value head `index` of all batches, or their `values`. */
function rowsAt(
  frame: AttendFrame,
  values: bool,
  index: i32,
  from: i32,
  count: i32,
  gathered: usize,
): usize {
  if (frame.locate) {
    return call_indirect<usize>(frame.locate, frame, values, index, from, count, gathered);
  }
  const b = index / frame.keyValueHeads;
  const strides = values ? valueStrides(frame) : keyStrides(frame);
  const row = sequenceOf(frame, b).keyStart + from;
  return rowAt(values ? frame.value : frame.key, strides, b, index % frame.keyValueHeads, row);
}

// @ts-ignore: decorator
@inline
export function keysAt(
  frame: AttendFrame,
  index: i32,
  from: i32,
  count: i32,
  gathered: usize,
): usize {
  return rowsAt(frame, false, index, from, count, gathered);
}

// @ts-ignore: decorator
@inline
export function valuesAt(
  frame: AttendFrame,
  index: i32,
  from: i32,
  count: i32,
  gathered: usize,
): usize {
  return rowsAt(frame, true, index, from, count, gathered);
}
