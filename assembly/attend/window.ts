// Which keys lie in a query's reach: a range [from, to) of the sequence's keys,
//
//   position − left ≤ key ≤ position + right
//
// with causal as right = 0. Sums are of 64 bits, since positions and windows may both be large.

import { Sequence, Slot, UNLIMITED } from "../frame";
import { address, size } from "../slots";

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
