// Which keys lie in a query's reach: a range [from, to) of the sequence's keys,
//
//   position − left ≤ key ≤ position + right
//
// with causal as right = 0; and besides the first sinkKeys of those before. Sums are of 64 bits, since positions and windows may both be large.

import { ScoresKind, UNLIMITED } from "../../kinds";
import { KEYS, ROWS } from "../../tiles";
import { AttendFrame, sequenceOf } from "../frame";

/** First key that the query at `position` sees. */
// @ts-ignore: decorator
@inline
export function visibleFrom(frame: AttendFrame, position: i32, keys: i32): i32 {
  if (frame.left == UNLIMITED) return 0;
  return <i32>min(max(<i64>position - frame.left, 0), <i64>keys);
}

/** The key after the last that the query at `position` sees; not before visibleFrom's. */
// @ts-ignore: decorator
@inline
export function visibleTo(frame: AttendFrame, position: i32, keys: i32): i32 {
  if (frame.right == UNLIMITED) return keys;
  return <i32>min(max(<i64>position + frame.right + 1, 0), <i64>keys);
}

/** Keys past `from` that the query at `position` sees, if as many; below 0 where it ends before. */
export function reachOf(frame: AttendFrame, position: i32, from: i32): i32 {
  if (frame.right == UNLIMITED || everyKey(frame)) return KEYS;
  return <i32>max(min(<i64>position + frame.right + 1 - from, KEYS), -ROWS);
}

/** Rows that the result has for batch b. */
// @ts-ignore: decorator
@inline
export function resultRows(frame: AttendFrame, b: i32): i32 {
  return frame.endToEnd ? sequenceOf(frame, b).queries : frame.queries;
}

/** Rows of keys that the result has for batch b. */
// @ts-ignore: decorator
@inline
export function resultKeys(frame: AttendFrame, b: i32): i32 {
  return frame.endToEnd ? sequenceOf(frame, b).keys : frame.keys;
}

/** Raw and capped scores are wanted of every key, seen or not. */
// @ts-ignore: decorator
@inline
export function everyKey(frame: AttendFrame): bool {
  return frame.scoresKind == ScoresKind.raw || frame.scoresKind == ScoresKind.capped;
}

/** First row of batch b that may see a key from `from` on. */
export function firstRow(frame: AttendFrame, b: i32, from: i32): i32 {
  if (frame.right == UNLIMITED) return 0;
  return rowOf(frame, b, <i64>from - frame.right);
}

/** The row after the last of batch b that may see a key before `to`. */
export function rowAfter(frame: AttendFrame, b: i32, to: i32): i32 {
  if (frame.left == UNLIMITED) return sequenceOf(frame, b).queries;
  return rowOf(frame, b, <i64>to + frame.left);
}

/** The row at `position`, or the end that is nearest to it. */
// @ts-ignore: decorator
@inline
function rowOf(frame: AttendFrame, b: i32, position: i64): i32 {
  const sequence = sequenceOf(frame, b);
  return <i32>min(max(position - sequence.position, 0), <i64>sequence.queries);
}

/** First key of the first tile that a query from `row` on sees. */
export function firstKey(frame: AttendFrame, b: i32, row: i32): i32 {
  if (everyKey(frame) || frame.sinkKeys) return 0;
  const sequence = sequenceOf(frame, b);
  return visibleFrom(frame, sequence.position + row, sequence.keys) & ~(KEYS - 1);
}

/** The key after the last that a query before `row` sees. */
export function lastKey(frame: AttendFrame, b: i32, row: i32): i32 {
  const sequence = sequenceOf(frame, b);
  if (row <= 0) return 0;
  if (everyKey(frame)) return sequence.keys;
  return visibleTo(frame, sequence.position + row - 1, sequence.keys);
}
