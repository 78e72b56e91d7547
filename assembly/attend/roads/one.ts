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

/** Keys [first, stop) for a group's single rows; the scratch begins with a Prefetch. */
export function attendOne(
  frame: AttendFrame,
  first: i32,
  stop: i32,
  rows: usize,
  prefetch: usize,
): void {
  const scratch = prefetch + <usize>prefetchBytes(frame, groupSize(frame));
  const scores = scoresOf(scratch);
  const step = <usize>rowsBytes(frame);
  const end = rows + <usize>groupSize(frame) * step;
  const stride = frame.keyRow << 2;
  const far = !frame.gatherBytes && exceedsCaches(frame);
  const head = keyValueHeadOf(frame, changetype<Rows>(rows).b, changetype<Rows>(rows).h);
  const gathered = gatheredOf(frame, prefetch);
  const next = changetype<Prefetch>(prefetch);
  initPrefetch(frame, next, rows, end);
  let scored = next.scores;
  let spare = scored + ((<usize>groupSize(frame) * KEYS) << 2);
  let scoredFrom = -1; // the first key of the tile whose scores are there
  for (let from = first; from < stop; from += KEYS) {
    const following = from + KEYS;
    next.scores = spare;
    next.count = far ? max(min(KEYS, stop - following), 0) : 0;
    let row = scored;
    // The same for all rows; found once one of them sees the tile.
    const isScored = scoredFrom == from;
    let keys: usize = 0;
    let values: usize = 0;
    for (let at = rows; at < end; at += step) {
      const r = changetype<Rows>(at);
      r.column = from;
      r.columns = min(KEYS, stop - from);
      if (!skips(frame, r)) {
        enterSpan(r, from);
        if (!values) {
          if (!isScored) keys = keysAt(frame, head, from, r.columns, gathered);
          if (next.count) next.keys = keysAt(frame, head, following, next.count, gathered);
          values = valuesAt(frame, head, from, r.columns, gathered);
        }
        if (isScored) memory.copy(scores, row, TILE_ROW);
        else scoreRow(r.queries, keys, stride, frame.headSize, r.columns, scores);
        softmaxTile(frame, r, scratch, true);
        addValues(frame, r, values, scratch, next);
        // The first row's values had the next tile scored for all.
        if (next.count) scoredFrom = following;
        next.count = 0;
      }
      row += TILE_ROW;
    }
    if (scoredFrom != following) continue;
    const before = scored;
    scored = spare;
    spare = before;
  }
}
