// The integers module: attend with keys, values, queries and weights of 16 or 8 bits. It has no fused
// multiply-add, so that both builds give the same bits.

import { AttendFrame } from "./attend/frame";
import {
  manyItems,
  manyReady,
  manySharedBytes,
  manyThreadBytes,
  runMany,
  TileKind,
} from "./attend/roads/many";
import { Bytes } from "./integers/bytes/rows";
import { Integers } from "./integers/rows";
import { IntegersKernel } from "./kinds";

export { heapBase, layout, relaxedSimd } from "./module";
export { lowering } from "./simd/bytes";

/** Bytes that each thread uses for itself. */
function threadBytes<S extends TileKind>(frame: AttendFrame): u64 {
  return manyThreadBytes<S>(frame) + frame.gatherBytes;
}

function scratchBytesOf<S extends TileKind>(frame: AttendFrame): f64 {
  const threads = <f64>frame.threads * <f64>threadBytes<S>(frame);
  return <f64>manySharedBytes<S>(frame) + threads;
}

function runOf<S extends TileKind>(frame: AttendFrame, item: i32, thread: i32, from: i32): i32 {
  const shared = frame.scratch;
  const mine = <usize>(manySharedBytes<S>(frame) + <u64>thread * threadBytes<S>(frame));
  return runMany<S>(frame, item, shared, shared + mine + frame.gatherBytes, from);
}

/** The protocol of core.ts. */
export function scratchBytes(kernel: i32, at: usize): f64 {
  const frame = changetype<AttendFrame>(at);
  if (kernel == IntegersKernel.int8) return scratchBytesOf<Bytes>(frame);
  return scratchBytesOf<Integers>(frame);
}

export function items(kernel: i32, at: usize): f64 {
  const frame = changetype<AttendFrame>(at);
  if (kernel == IntegersKernel.int8) return manyItems<Bytes>(frame);
  return manyItems<Integers>(frame);
}

export function ready(kernel: i32, at: usize, item: i32): i32 {
  const frame = changetype<AttendFrame>(at);
  if (kernel == IntegersKernel.int8) return manyReady<Bytes>(frame, item);
  return manyReady<Integers>(frame, item);
}

export function run(kernel: i32, at: usize, item: i32, thread: i32, from: i32): i32 {
  const frame = changetype<AttendFrame>(at);
  if (kernel == IntegersKernel.int8) return runOf<Bytes>(frame, item, thread, from);
  return runOf<Integers>(frame, item, thread, from);
}
