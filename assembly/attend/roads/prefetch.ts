// One query whose keys and values the caches do not hold: the next tile's keys are scored while the
// values of this one are read, eight keys and eight values in turns.
//
// Memory delivers two runs in turns faster than one after the other. Eight keys are copied in the order
// they lie in before they are transposed: read from eight places at once they come at half the speed
// (bench/NOTES.md).

import { CACHED_BYTES, KEYS, PREFETCH_KEYS } from "../../tiles";
import { AttendFrame } from "../frame";
import { everyHead } from "../heads";
import { Rows, rowsBytes } from "../rows";
import { scoreRow } from "./dot";

/** The tile to come: `count` keys from `keys` on, for each of the rows. */
@unmanaged
export class Prefetch {
  keys: usize = 0;
  count: i32 = 0;
  /** Rows of its group, one query each. */
  rows: usize = 0;
  end: usize = 0;
  /** [group][KEYS] */
  scores: usize = 0;
  /** A copy of PREFETCH_KEYS keys. */
  copy: usize = 0;
}

const HEADER: usize = 64;

/** Whether keys and values are more than the caches hold. */
export function exceedsCaches(frame: AttendFrame): bool {
  const rows = everyHead(frame) * <f64>frame.keys;
  return rows * <f64>(frame.headSize + frame.valueSize) * 4 > CACHED_BYTES;
}

/** Bytes of a copied key, a multiple of 16. */
// @ts-ignore: decorator
@inline
function copyRow(frame: AttendFrame): usize {
  return ((<usize>frame.headSize + 3) & ~3) << 2;
}

// @ts-ignore: decorator
@inline
function scoresBytes(group: i32): u64 {
  return (<u64>group * KEYS) << 2;
}

/** Bytes of a Prefetch with its numbers: eight keys, and the scores of two tiles. */
export function prefetchBytes(frame: AttendFrame, group: i32): u64 {
  if (!exceedsCaches(frame)) return HEADER;
  return HEADER + <u64>copyRow(frame) * PREFETCH_KEYS + 2 * scoresBytes(group);
}

/** Without a tile yet. */
export function initPrefetch(frame: AttendFrame, next: Prefetch): void {
  next.count = 0;
  next.copy = changetype<usize>(next) + HEADER;
  next.scores = next.copy + copyRow(frame) * PREFETCH_KEYS;
}

/** Scores keys [i, i + PREFETCH_KEYS) of the tile for every row. */
export function scorePrefetch(frame: AttendFrame, next: Prefetch, i: i32): void {
  const count = min(PREFETCH_KEYS, next.count - i);
  const stride = frame.keyRow << 2;
  copyKeys(frame, next.keys + <usize>i * stride, stride, count, next.copy);
  let scores = next.scores + ((<usize>i) << 2);
  const step = <usize>rowsBytes(frame);
  for (let at = next.rows; at < next.end; at += step) {
    const r = changetype<Rows>(at);
    if (r.rows) scoreRow(r.queries, next.copy, copyRow(frame), frame.headSize, count, scores);
    scores += (<usize>KEYS) << 2;
  }
}

/** Copies `count` keys in the order they lie in. */
// @ts-ignore: decorator
@inline
function copyKeys(frame: AttendFrame, keys: usize, stride: usize, count: i32, into: usize): void {
  const bytes = (<usize>frame.headSize) << 2;
  const step = copyRow(frame);
  for (let j = 0; j < count; j++) {
    let at: usize = 0;
    for (; at + 64 <= bytes; at += 64) {
      v128.store(into + at, v128.load(keys + at));
      v128.store(into + at, v128.load(keys + at, 16), 16);
      v128.store(into + at, v128.load(keys + at, 32), 32);
      v128.store(into + at, v128.load(keys + at, 48), 48);
    }
    for (; at + 16 <= bytes; at += 16) v128.store(into + at, v128.load(keys + at));
    for (; at < bytes; at += 4) store<f32>(into + at, load<f32>(keys + at));
    keys += stride;
    into += step;
  }
}
