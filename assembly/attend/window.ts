// Which keys lie in a query's reach: a range [from, to) of the sequence's keys,
//
//   position − left ≤ key ≤ position + right
//
// with causal as right = 0. Sums are of 64 bits, since positions and windows may both be large.

import { ScoresKind, Sequence, Slot, UNLIMITED } from "../frame";
import { address, size } from "../slots";
import { KEYS, ROWS } from "../tiles";

/** A number of batch b's sequence. */
// @ts-ignore: decorator
@inline
export function sequence(frame: usize, b: i32, field: i32): i32 {
  const index = <usize>b * Sequence.count + <usize>field;
  return load<i32>(address(frame, Slot.sequences) + (index << 2));
}

/** First key that the query at `position` sees. */
// @ts-ignore: decorator
@inline
export function visibleFrom(frame: usize, position: i32, keys: i32): i32 {
  const left = size(frame, Slot.left);
  if (left == UNLIMITED) return 0;
  return <i32>min(max(<i64>position - left, 0), <i64>keys);
}

/** The key after the last that the query at `position` sees; not before visibleFrom's. */
// @ts-ignore: decorator
@inline
export function visibleTo(frame: usize, position: i32, keys: i32): i32 {
  const right = size(frame, Slot.right);
  if (right == UNLIMITED) return keys;
  return <i32>min(max(<i64>position + right + 1, 0), <i64>keys);
}

/** Keys past `from` that the query at `position` sees, if as many; below 0 where it ends before. */
export function reachOf(frame: usize, position: i32, from: i32): i32 {
  const right = size(frame, Slot.right);
  if (right == UNLIMITED || everyKey(frame)) return KEYS;
  return <i32>max(min(<i64>position + right + 1 - from, KEYS), -ROWS);
}

/** Rows that the result has for batch b. */
// @ts-ignore: decorator
@inline
export function heldRows(frame: usize, b: i32): i32 {
  return size(frame, Slot.endToEnd)
    ? sequence(frame, b, Sequence.queries)
    : size(frame, Slot.queries);
}

/** Rows of keys that the result has for batch b. */
// @ts-ignore: decorator
@inline
export function heldKeys(frame: usize, b: i32): i32 {
  return size(frame, Slot.endToEnd) ? sequence(frame, b, Sequence.keys) : size(frame, Slot.keys);
}

/** Raw and capped scores are wanted of every key, seen or not. */
// @ts-ignore: decorator
@inline
export function everyKey(frame: usize): bool {
  const kind = size(frame, Slot.scoresKind);
  return kind == ScoresKind.raw || kind == ScoresKind.capped;
}

/** First key of the first tile that a query from `row` on sees. */
export function firstKey(frame: usize, b: i32, row: i32): i32 {
  if (everyKey(frame)) return 0;
  const position = sequence(frame, b, Sequence.position) + row;
  return visibleFrom(frame, position, sequence(frame, b, Sequence.keys)) & ~(KEYS - 1);
}

/** The key after the last that a query before `row` sees. */
export function lastKey(frame: usize, b: i32, row: i32): i32 {
  const keys = sequence(frame, b, Sequence.keys);
  if (row <= 0) return 0;
  if (everyKey(frame)) return keys;
  return visibleTo(frame, sequence(frame, b, Sequence.position) + row - 1, keys);
}

/** First row of batch b that may see a key from `from` on. */
export function firstRow(frame: usize, b: i32, from: i32): i32 {
  const right = size(frame, Slot.right);
  if (right == UNLIMITED) return 0;
  return rowAt(frame, b, <i64>from - right);
}

/** The row after the last of batch b that may see a key before `to`. */
export function rowAfter(frame: usize, b: i32, to: i32): i32 {
  const left = size(frame, Slot.left);
  if (left == UNLIMITED) return sequence(frame, b, Sequence.queries);
  return rowAt(frame, b, <i64>to + left);
}

/** The row at `position`, or the end that is nearest to it. */
// @ts-ignore: decorator
@inline
function rowAt(frame: usize, b: i32, position: i64): i32 {
  const row = position - sequence(frame, b, Sequence.position);
  return <i32>min(max(row, 0), <i64>sequence(frame, b, Sequence.queries));
}
