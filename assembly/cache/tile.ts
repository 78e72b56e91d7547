// One tile of stored keys and values of few bits for some rows, each by itself, so that no result depends
// on which rows are asked for together.

import { AttendFrame, keyStrides, valueStrides } from "../attend/frame";
import { keyValueHead } from "../attend/heads";
import { ceil8 } from "../attend/panels";
import { Rows } from "../attend/rows";
import { scoresOf, spareOf } from "../attend/scratch";
import { reach, softmaxTile } from "../attend/step";
import { NumbersKind } from "../kinds";
import { REGISTER_ROWS, TILE_ROW } from "../tiles";
import { storedRow } from "./locate";
import { BLOCK_BYTES } from "./numbers";
import { Query, queryBytes } from "./query";
import { scoreRows, scoreRun } from "./scores";
import { addRun, addRunRows } from "./values";
import { addSums, gatherScales, weigh, Work, workOf, WORKS } from "./work";

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
  const bytes = queryBytes(frame.headSize);
  const many = frame.numbers != NumbersKind.int8;
  for (let i = 0; i < r.rows;) {
    const rows = many && i + WORKS <= r.rows ? WORKS : 1;
    const query = changetype<Query>(queries + <usize>i * bytes);
    score(frame, r, i, query, scoresOf(scratch) + <usize>i * TILE_ROW, rows);
    i += rows;
  }
  softmaxTile(frame, r, scratch, true);
  for (let i = 0; i < r.rows;) {
    const four = frame.numbers == NumbersKind.int16 && i + WORKS <= r.rows;
    if (four) addFour(frame, r, i, work, scratch);
    else addValues(frame, r, i, work, scratch);
    i += four ? WORKS : 1;
  }
}

/** Of row i, or of WORKS from it on. */
function score(frame: AttendFrame, r: Rows, i: i32, query: Query, target: usize, rows: i32): void {
  const seen = seenBy(frame, r, i);
  const strides = keyStrides(frame);
  const origin = frame.key + ((<usize>keyValueHead(frame, r.h) * strides.head) << 2);
  const stride = frame.keyPageRow << 2;
  for (let j = 0; j < seen;) {
    const run = runOf(frame, r.column + j, seen - j);
    const keys = storedRow(frame, r.b, origin, strides.batch, frame.keyPageRow, r.column + j);
    const at = target + ((<usize>j) << 2);
    if (rows == 1) scoreRun(keys, stride, run, query, at);
    else scoreRows(keys, stride, run, query, at);
    j += run;
  }
}

/** The row of values at key j, of the head that the rows read. */
// @ts-ignore: decorator
@inline
function valuesAt(frame: AttendFrame, r: Rows, j: i32): usize {
  const strides = valueStrides(frame);
  const head = <usize>keyValueHead(frame, r.h) * strides.head;
  const origin = frame.value + (head << 2);
  return storedRow(frame, r.b, origin, strides.batch, frame.valuePageRow, r.column + j);
}

// @ts-ignore: decorator
@inline
function outputOf(r: Rows, i: i32): usize {
  return r.states.output + ((<usize>i * <usize>r.states.columns) << 2);
}

/** addValues for WORKS rows of int16. */
function addFour(frame: AttendFrame, r: Rows, i: i32, first: Work, scratch: usize): void {
  const seen = seenBy(frame, r, i);
  if (seen <= 0) return;
  const stride = frame.valuePageRow << 2;
  for (let j = 0; j < seen;) {
    const run = runOf(frame, r.column + j, seen - j);
    gatherScales(valuesAt(frame, r, j), stride, run, first.products + ((<usize>j) << 2));
    j += run;
  }
  let weighed = 0;
  for (let row = WORKS - 1; row >= 0; row--) {
    const work = workOf(first, frame.valueSize, row);
    // The first's scales are the last to be multiplied.
    if (row) memory.copy(work.products, first.products, TILE_ROW);
    const at = <usize>(i + row) * TILE_ROW;
    const counts = weigh(work, scoresOf(scratch) + at, spareOf(frame, scratch) + at, seen);
    if (counts) weighed |= 1 << row;
  }
  if (!weighed) return;
  for (let j = 0; j < seen;) {
    const run = runOf(frame, r.column + j, seen - j);
    addRunRows(first, valuesAt(frame, r, j), stride, j, run);
    j += run;
  }
  for (let row = 0; row < WORKS; row++) {
    const work = workOf(first, frame.valueSize, row);
    if ((weighed >> row) & 1) addSums(work, outputOf(r, i + row), ceil8(frame.valueSize));
  }
}

/** Row i's output += its weights, which its scores have become, times the values. */
function addValues(frame: AttendFrame, r: Rows, i: i32, work: Work, scratch: usize): void {
  const seen = seenBy(frame, r, i);
  if (seen <= 0) return;
  const row = <usize>i * TILE_ROW;
  const weights = scoresOf(scratch) + row;
  const scores = spareOf(frame, scratch) + row;
  const stride = frame.valuePageRow << 2;
  const all = ceil8(frame.valueSize);
  const output = outputOf(r, i);
  for (let column = 0; column < frame.valueSize; column += work.columns) {
    // Of int4 the next block.
    const at = <usize>(column / work.columns) * BLOCK_BYTES;
    for (let j = 0; j < seen;) {
      const run = runOf(frame, r.column + j, seen - j);
      const values = valuesAt(frame, r, j) + at;
      gatherScales(values, stride, run, work.products + ((<usize>j) << 2));
      j += run;
    }
    if (!weigh(work, weights, scores, seen)) continue;
    for (let j = 0; j < seen;) {
      const run = runOf(frame, r.column + j, seen - j);
      const values = valuesAt(frame, r, j) + at;
      addRun(work, values, stride, j, run);
      j += run;
    }
    addSums(work, output + ((<usize>column) << 2), min(ceil8(work.columns), all - column));
  }
}
