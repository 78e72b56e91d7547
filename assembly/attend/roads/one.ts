// One query: keys and values are read where they lie, once, for all heads of a group.
//
// What the caches do not hold is read of some groups in turns, a few rows of each: memory delivers several
// runs in turns faster than one after the other (bench/NOTES.md).

import { CACHED_BYTES, KEYS, TURN_KEYS, TURN_VALUES, TURNS } from "../../tiles";
import { AttendFrame } from "../frame";
import { everyHead, groupSize, keyValueHeadOf } from "../heads";
import { keysAt, valuesAt } from "../located";
import { enterSpan, Rows, rowsBytes, skips } from "../rows";
import { gatheredOf, scoresOf, scratchTileBytes } from "../scratch";
import { softmaxTile } from "../step";
import { scoreRow } from "./dot";
import { addValues } from "./values";

/** Whether keys and values are more than the caches hold. */
// @ts-ignore: decorator
@inline
function exceedsCaches(frame: AttendFrame): bool {
  const rows = everyHead(frame) * <f64>frame.keys;
  return rows * <f64>(frame.headSize + frame.valueSize) * 4 > CACHED_BYTES;
}

/** Groups that are read in turns; rows that are gathered have room for one. */
export function turns(frame: AttendFrame): i32 {
  return !frame.gatherBytes && exceedsCaches(frame) ? TURNS : 1;
}

/** Keys [first, stop) for single rows from `rows` to `end`: some groups' tile, then those of all others. */
export function attendOne(
  frame: AttendFrame,
  first: i32,
  stop: i32,
  rows: usize,
  end: usize,
  scratch: usize,
): void {
  const step = <usize>(turns(frame) * groupSize(frame)) * <usize>rowsBytes(frame);
  for (let from = first; from < stop; from += KEYS) {
    for (let at = rows; at < end; at += step) {
      attendGroups(frame, from, min(KEYS, stop - from), at, min(at + step, end), scratch);
    }
  }
}

/** Keys [from, from + columns); the scratch is that of a tile for each row. */
function attendGroups(
  frame: AttendFrame,
  from: i32,
  columns: i32,
  rows: usize,
  end: usize,
  scratch: usize,
): void {
  const step = <usize>rowsBytes(frame);
  const tile = scratchTileBytes(frame);
  const gathered = gatheredOf(frame, scratch);
  let head = -1;
  let keys: usize = 0;
  let values: usize = 0;
  for (let at = rows; at < end; at += step) {
    const r = changetype<Rows>(at);
    r.column = from;
    r.columns = columns;
    const seen = !skips(frame, r);
    if (seen) {
      enterSpan(frame, r, from);
      // The same for all rows of a group; found once one of them sees the tile.
      const index = keyValueHeadOf(frame, r.b, r.h);
      if (index != head) {
        head = index;
        keys = keysAt(frame, index, from, columns, gathered);
        values = valuesAt(frame, index, from, columns, gathered);
      }
    }
    r.keys = seen ? keys : 0;
    r.values = values;
  }

  const inTurns = turns(frame) > 1;
  const stride = frame.keyRow << 2;
  const block = inTurns ? TURN_KEYS : KEYS;
  for (let j = 0; j < columns; j += block) {
    const count = min(block, columns - j);
    const key = <usize>j * stride;
    if (inTurns) touch(frame, rows, end, key, count, scratch);
    let scores = scoresOf(scratch) + ((<usize>j) << 2);
    for (let at = rows; at < end; at += step) {
      const r = changetype<Rows>(at);
      if (r.keys) scoreRow(r.queries, r.keys + key, stride, frame.headSize, count, scores);
      scores += tile;
    }
  }

  let own = scratch;
  for (let at = rows; at < end; at += step) {
    const r = changetype<Rows>(at);
    if (r.keys) softmaxTile(frame, r, own, true);
    own += tile;
  }
  addValues(frame, rows, end, scratch, inTurns ? TURN_VALUES : columns);
}

/**
 * One load of each line of the next keys, a key of each group in turns: scores read four numbers of eight
 * keys at a time, which memory would deliver at half the speed.
 */
function touch(
  frame: AttendFrame,
  rows: usize,
  end: usize,
  key: usize,
  count: i32,
  scratch: usize,
): void {
  const step = <usize>groupSize(frame) * <usize>rowsBytes(frame);
  const bytes = (<usize>frame.headSize) << 2;
  let all = 0;
  for (; count > 0; count--) {
    for (let at = rows; at < end; at += step) {
      const r = changetype<Rows>(at);
      const from = r.keys + key;
      if (r.keys) for (let i: usize = 0; i < bytes; i += 64) all |= load<i32>(from + i);
    }
    key += frame.keyRow << 2;
  }
  // So that no engine leaves the loads out.
  store<i32>(scratch, all);
}
