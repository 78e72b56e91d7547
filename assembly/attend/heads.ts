// How query heads share key and value heads: head h of H reads key and value head ⌊h·Hkv/H⌋, and the
// query heads that read the same one are its group.

import { AttendFrame } from "./frame";

// @ts-ignore: decorator
@inline
export function groupSize(frame: AttendFrame): i32 {
  return frame.keyValueHeads ? frame.heads / frame.keyValueHeads : 0;
}

/** The key and value head that query head h reads. */
// @ts-ignore: decorator
@inline
export function keyValueHead(frame: AttendFrame, h: i32): i32 {
  return h / groupSize(frame);
}

/** The key and value head of all batches that query head h of batch b reads. */
// @ts-ignore: decorator
@inline
export function keyValueHeadOf(frame: AttendFrame, b: i32, h: i32): i32 {
  return b * frame.keyValueHeads + keyValueHead(frame, h);
}

/** allHeads before it is known that 31 bits can say it. */
// @ts-ignore: decorator
@inline
export function everyHead(frame: AttendFrame): f64 {
  return <f64>frame.batch * <f64>frame.keyValueHeads;
}

/** Key and value heads of all batches. */
// @ts-ignore: decorator
@inline
export function allHeads(frame: AttendFrame): i32 {
  return frame.batch * frame.keyValueHeads;
}
