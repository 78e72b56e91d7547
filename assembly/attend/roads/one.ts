// One query: keys and values are read where they lie, once, for all heads of a group.

import { KEYS, TILE_ROW } from "../../tiles";
import { AttendFrame } from "../frame";
import { groupSize, keyValueHeadOf } from "../heads";
import { keysAt, valuesAt } from "../located";
import { enterSpan, Rows, rowsBytes, skips } from "../rows";
import { gatheredOf, scoresOf } from "../scratch";
import { softmaxTile } from "../step";
import { scoreRow } from "./dot";
import { exceedsCaches, initPrefetch, Prefetch, prefetchBytes } from "./prefetch";
import { addValues } from "./values";

/**
 * Keys [first, stop) for single rows from `rows` to `end`, a group after the other: each group's tile, then
 * the next tile of all. The scratch begins with a Prefetch.
 */
export function attendOne(
  frame: AttendFrame,
  first: i32,
  stop: i32,
  rows: usize,
  end: usize,
  prefetch: usize,
): void {
  const scratch = prefetch + <usize>prefetchBytes(frame, groupSize(frame));
  const scores = scoresOf(scratch);
  const step = <usize>rowsBytes(frame);
  const group = <usize>groupSize(frame) * step;
  const stride = frame.keyRow << 2;
  const far = !frame.gatherBytes && exceedsCaches(frame);
  const gathered = gatheredOf(frame, prefetch);
  const next = changetype<Prefetch>(prefetch);
  initPrefetch(frame, next);
  let scored = next.scores;
  let spare = scored + ((<usize>groupSize(frame) * KEYS) << 2);
  let isScored = false; // whether the scores of the tile are there
  let from = first;
  for (let at = rows; from < stop;) {
    // The group and tile to come.
    next.rows = at + group < end ? at + group : rows;
    next.end = next.rows + group;
    const following = at + group < end ? from : from + KEYS;
    next.scores = spare;
    next.count = far ? max(min(KEYS, stop - following), 0) : 0;
    const columns = min(KEYS, stop - from);
    const b = changetype<Rows>(at).b;
    const head = keyValueHeadOf(frame, b, changetype<Rows>(at).h);
    let row = scored;
    // The same for all rows; found once one of them sees the tile.
    let keys: usize = 0;
    let values: usize = 0;
    for (const last = at + group; at < last; at += step) {
      const r = changetype<Rows>(at);
      r.column = from;
      r.columns = columns;
      if (!skips(frame, r)) {
        enterSpan(frame, r, from);
        if (!values) {
          if (!isScored) keys = keysAt(frame, head, from, columns, gathered);
          if (next.count) {
            const other = keyValueHeadOf(frame, b, changetype<Rows>(next.rows).h);
            next.keys = keysAt(frame, other, following, next.count, gathered);
          }
          values = valuesAt(frame, head, from, columns, gathered);
        }
        if (isScored) memory.copy(scores, row, TILE_ROW);
        else scoreRow(r.queries, keys, stride, frame.headSize, columns, scores);
        softmaxTile(frame, r, scratch, true);
        // The first row's values have the next tile scored for all.
        addValues(frame, r, values, scratch, next);
        next.count = 0;
      }
      row += TILE_ROW;
    }
    isScored = values && far ? following < stop : false;
    if (isScored) {
      const before = scored;
      scored = spare;
      spare = before;
    }
    at = next.rows;
    from = following;
  }
}
