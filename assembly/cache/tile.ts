// One tile of stored keys and values of few bits for some rows, each by itself, so that no result depends
// on which rows are asked for together.

import { AttendFrame, keyStrides, valueStrides } from "../attend/frame";
import { keyValueHead } from "../attend/heads";
import { ceil8 } from "../attend/panels";
import { Rows } from "../attend/rows";
import { scoresOf, spareOf } from "../attend/scratch";
import { reach, softmaxTile } from "../attend/step";
import { REGISTER_ROWS, TILE_ROW } from "../tiles";
import { storedRow } from "./locate";
import { BLOCK_BYTES } from "./numbers";
import { Query, queryBytes } from "./query";
import { scoreRun } from "./scores";
import { addRun, addSums, gatherScales, weigh, Work } from "./values";

/** Keys of the tile for row i, as many for all rows of a register block. */
// @ts-ignore: decorator
@inline
function seenBy(frame: AttendFrame, r: Rows, i: i32): i32 {
  return min(reach(frame, r) + (i | (REGISTER_ROWS - 1)), r.columns);
}

/** Rows of a page from key `from` on, fewer than `count` where it ends. */
// @ts-ignore: decorator
@inline
function runOf(frame: AttendFrame, from: i32, count: i32): i32 {
  return min(count, frame.pageSize - (from % frame.pageSize));
}

/** The rows attend to their tile; `queries` are theirs, see query.ts. */
export function attendStored(
  frame: AttendFrame,
  r: Rows,
  queries: usize,
  work: Work,
  scratch: usize,
): void {
  for (let i = 0; i < r.rows; i++) {
    const query = queries + <usize>i * queryBytes(frame.headSize);
    const target = scoresOf(scratch) + <usize>i * TILE_ROW;
    score(frame, r, seenBy(frame, r, i), changetype<Query>(query), target);
  }
  softmaxTile(frame, r, scratch, true);
  for (let i = 0; i < r.rows; i++) addValues(frame, r, i, work, scratch);
}

function score(frame: AttendFrame, r: Rows, seen: i32, query: Query, target: usize): void {
  const strides = keyStrides(frame);
  const origin = frame.key + ((<usize>keyValueHead(frame, r.h) * strides.head) << 2);
  const stride = frame.keyPageRow << 2;
  for (let j = 0; j < seen;) {
    const run = runOf(frame, r.column + j, seen - j);
    const keys = storedRow(frame, r.b, origin, strides.batch, frame.keyPageRow, r.column + j);
    scoreRun(keys, stride, run, query, target + ((<usize>j) << 2));
    j += run;
  }
}

/** Row i's output += its weights, which its scores have become, times the values. */
function addValues(frame: AttendFrame, r: Rows, i: i32, work: Work, scratch: usize): void {
  const seen = seenBy(frame, r, i);
  if (seen <= 0) return;
  const row = <usize>i * TILE_ROW;
  const weights = scoresOf(scratch) + row;
  const scores = spareOf(frame, scratch) + row;
  const strides = valueStrides(frame);
  const head = <usize>keyValueHead(frame, r.h) * strides.head;
  const origin = frame.value + (head << 2);
  const stride = frame.valuePageRow << 2;
  const all = ceil8(frame.valueSize);
  const output = r.states.output + ((<usize>i * <usize>r.states.columns) << 2);
  for (let column = 0; column < frame.valueSize; column += work.columns) {
    // Of int4 the next block.
    const at = origin + <usize>(column / work.columns) * BLOCK_BYTES;
    for (let j = 0; j < seen;) {
      const run = runOf(frame, r.column + j, seen - j);
      const values = storedRow(frame, r.b, at, strides.batch, frame.valuePageRow, r.column + j);
      gatherScales(values, stride, run, work.products + ((<usize>j) << 2));
      j += run;
    }
    if (!weigh(work, weights, scores, seen)) continue;
    for (let j = 0; j < seen;) {
      const run = runOf(frame, r.column + j, seen - j);
      const values = storedRow(frame, r.b, at, strides.batch, frame.valuePageRow, r.column + j);
      addRun(work, values, stride, j, run);
      j += run;
    }
    addSums(work, output + ((<usize>column) << 2), min(ceil8(work.columns), all - column));
  }
}
