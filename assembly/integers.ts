// The integers module: attend with keys, values, queries and weights of 16 bits. It has no fused
// multiply-add, so that both builds give the same bits.

import { AttendFrame } from "./attend/frame";
import {
  manyItems,
  manyReady,
  manySharedBytes,
  manyThreadBytes,
  runMany,
} from "./attend/roads/many";
import { Integers } from "./integers/rows";

export { heapBase, layout, relaxedSimd } from "./module";

/** Bytes that each thread uses for itself. */
function threadBytes(frame: AttendFrame): u64 {
  return manyThreadBytes<Integers>(frame) + frame.gatherBytes;
}

/** The protocol of core.ts. */
export function scratchBytes(_kernel: i32, at: usize): f64 {
  const frame = changetype<AttendFrame>(at);
  const threads = <f64>frame.threads * <f64>threadBytes(frame);
  return <f64>manySharedBytes<Integers>(frame) + threads;
}

export function items(_kernel: i32, frame: usize): f64 {
  return manyItems(changetype<AttendFrame>(frame));
}

export function ready(_kernel: i32, frame: usize, item: i32): i32 {
  return manyReady(changetype<AttendFrame>(frame), item);
}

export function run(_kernel: i32, at: usize, item: i32, thread: i32, from: i32): i32 {
  const frame = changetype<AttendFrame>(at);
  const shared = frame.scratch;
  const mine = <usize>(manySharedBytes<Integers>(frame) + <u64>thread * threadBytes(frame));
  return runMany<Integers>(frame, item, shared, shared + mine + frame.gatherBytes, from);
}
