// output = softmax(scores(Q·Kᵀ)) · V, a tile of query rows at a time.
//
// For each tile the keys stream by, KEYS at a time: score, adjust, move the softmax state, rescale and
// add to the output rows; the division by l comes last (Dao et al. 2022, "FlashAttention"). Three roads to
// the same bits:
//
//   many queries   a head's keys and values are packed once, then read by every tile of rows
//   up to ROWS     they are packed a tile at a time, for every head of the group; with threads each has a
//                  span of the keys, and the spans are merged
//   one query      the same, but they are read where they lie
//
// A call is a list of items, each its own part of the result or of the panels. Memory is the panels and
// the rows that are begun, never L × S. Q [B, H, L, D], K [B, Hkv, S, D], V [B, Hkv, S, Dv] by strides;
// the caller has checked every size and address.

import { AttendFrame } from "./frame";
import { few, fewItems, fewReady, fewSharedBytes, fewThreadBytes, runFew } from "./roads/few";
import { manyItems, manyReady, manySharedBytes, manyThreadBytes, runMany } from "./roads/many";
import { Floats } from "./step";

/** Bytes of what all threads use. */
// @ts-ignore: decorator
@inline
function sharedBytes(frame: AttendFrame): u64 {
  return few(frame) ? fewSharedBytes(frame) : manySharedBytes<Floats>(frame);
}

/** Bytes that each thread uses for itself. */
// @ts-ignore: decorator
@inline
function threadBytes(frame: AttendFrame): u64 {
  return (few(frame) ? fewThreadBytes(frame) : manyThreadBytes<Floats>(frame)) + frame.gatherBytes;
}

/** Bytes of the scratch; a float64, since it may be more than linear memory can hold. */
export function attendScratchBytes(frame: AttendFrame): f64 {
  return <f64>sharedBytes(frame) + <f64>frame.threads * <f64>threadBytes(frame);
}

/** Items of a call; a float64, since they may be more than an item's number can say. */
export function attendItems(frame: AttendFrame): f64 {
  return few(frame) ? fewItems(frame) : manyItems<Floats>(frame);
}

/** How many of the first items have to be done before `item` begins. */
export function attendReady(frame: AttendFrame, item: i32): i32 {
  return few(frame) ? fewReady(frame, item) : manyReady<Floats>(frame, item);
}

/**
 * Some milliseconds of one item, in thread `thread`'s part of the scratch: from key 0, then from
 * the key the run before came to. 0 once the item is done. Doing all items again changes nothing.
 */
export function attendRun(frame: AttendFrame, item: i32, thread: i32, key: i32): i32 {
  const shared = frame.scratch;
  const threadOffset = <usize>(sharedBytes(frame) + <u64>thread * threadBytes(frame));
  const scratch = shared + threadOffset + frame.gatherBytes;
  if (few(frame)) return runFew(frame, item, shared, scratch, key);
  return runMany<Floats>(frame, item, shared, scratch, key);
}
