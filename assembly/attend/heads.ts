// How query heads share key and value heads: head h of H reads key and value head ⌊h·Hkv/H⌋, and the
// query heads that read the same one are its group.

import { Slot } from "../frame";
import { size } from "../slots";

// @ts-ignore: decorator
@inline
export function groupSize(frame: usize): i32 {
  const keyValueHeads = size(frame, Slot.keyValueHeads);
  return keyValueHeads ? size(frame, Slot.heads) / keyValueHeads : 0;
}

/** The key and value head that query head h reads. */
// @ts-ignore: decorator
@inline
export function keyValueHead(frame: usize, h: i32): i32 {
  return h / groupSize(frame);
}

/** allHeads before it is known that 31 bits can say it. */
// @ts-ignore: decorator
@inline
export function everyHead(frame: usize): f64 {
  return <f64>size(frame, Slot.batch) * <f64>size(frame, Slot.keyValueHeads);
}

/** Key and value heads of all batches. */
// @ts-ignore: decorator
@inline
export function allHeads(frame: usize): i32 {
  return size(frame, Slot.batch) * size(frame, Slot.keyValueHeads);
}
