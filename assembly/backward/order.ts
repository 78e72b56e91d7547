// The order of a call's items, each one key and value head of one batch, and which of them wait.
//
// Items that add to the same element of a mask's gradient come one after the other, so that its sum has
// one order whatever the threads. Where a mask is broadcast over the batches, those of a batch wait for the
// batch before; where it is broadcast over the heads alone, the batches of a head lie side by side and wait
// for the head before.

import { everyHead } from "../attend/heads";
import { maskAt } from "../attend/visible/mask";
import { BackwardFrame } from "./frame";

/** Whether items of different batches add to one element. */
function batchesMeet(frame: BackwardFrame): bool {
  for (let index = 0; index < frame.maskCount; index++) {
    const mask = maskAt(frame, index);
    if (mask.gradient && !mask.batch) return frame.batch > 1;
  }
  return false;
}

/** Whether items of different heads do. */
function headsMeet(frame: BackwardFrame): bool {
  for (let index = 0; index < frame.maskCount; index++) {
    const mask = maskAt(frame, index);
    if (mask.gradient && !mask.head) return frame.keyValueHeads > 1;
  }
  return false;
}

/** Items of a call. A float64, as attendItems. */
export function backwardItems(frame: BackwardFrame): f64 {
  return everyHead(frame);
}

/** Whether the batches of a head lie side by side, not the heads of a batch. */
// @ts-ignore: decorator
@inline
function headsFirst(frame: BackwardFrame): bool {
  return headsMeet(frame) && !batchesMeet(frame);
}

export function itemBatch(frame: BackwardFrame, item: i32): i32 {
  return headsFirst(frame) ? item % frame.batch : item / frame.keyValueHeads;
}

/** Its key and value head. */
export function itemHead(frame: BackwardFrame, item: i32): i32 {
  return headsFirst(frame) ? item / frame.batch : item % frame.keyValueHeads;
}

/** How many of the first items have to be done before `item` begins. */
export function backwardReady(frame: BackwardFrame, item: i32): i32 {
  const heads = headsMeet(frame);
  if (batchesMeet(frame)) return heads ? item : item - (item % frame.keyValueHeads);
  return heads ? item - (item % frame.batch) : 0;
}
