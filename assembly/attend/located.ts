// Where a tile's keys and values lie: by their strides, or where a step of another module says, which may
// gather them in the thread's scratch.

import { rowAt } from "../strided";
import { AttendFrame, keyStrides, sequenceOf, valueStrides } from "./frame";

/** `count` keys from `from` on of key and value head `index` of all batches. */
export function keysAt(
  frame: AttendFrame,
  index: i32,
  from: i32,
  count: i32,
  gathered: usize,
): usize {
  if (frame.locate) return call_indirect<usize>(frame.locate, frame, 0, index, from, count, gathered);
  const b = index / frame.keyValueHeads;
  const row = sequenceOf(frame, b).keyStart + from;
  return rowAt(frame.key, keyStrides(frame), b, index % frame.keyValueHeads, row);
}

/** The values of these keys. */
export function valuesAt(
  frame: AttendFrame,
  index: i32,
  from: i32,
  count: i32,
  gathered: usize,
): usize {
  if (frame.locate) return call_indirect<usize>(frame.locate, frame, 1, index, from, count, gathered);
  const b = index / frame.keyValueHeads;
  const row = sequenceOf(frame, b).keyStart + from;
  return rowAt(frame.value, valueStrides(frame), b, index % frame.keyValueHeads, row);
}
