// One tile of stored keys and values of few bits for a strip: rows of one head or, of one query, several
// heads. No result depends on which rows are asked for together.

import { AttendFrame, keyStrides, valueStrides } from "../attend/frame";
import { keyValueHead } from "../attend/heads";
import { Rows } from "../attend/rows";
import { scoresOf, spareOf } from "../attend/scratch";
import { reach, softmaxTile } from "../attend/step";
import { NumbersKind } from "../kinds";
import { ceil8, REGISTER_ROWS, TILE_ROW } from "../tiles";
import { storedRow } from "./locate";
import { BLOCK_BYTES } from "./numbers";
import { Query, queryBytes } from "./query";
import { scoreRun } from "./scores";
import { addTogether, scoreTogether } from "./together";
import { isSpecial, packQueries, unpackKeys, unpacks, unpackValues } from "./unpack";
import { addRun } from "./values";
import { addSums, gatherScales, Strip, weigh, workOf, WORKS } from "./work";

/** The rows of one head attend to their tile; `queries` are theirs, see query.ts. Fours of them do so together. */
export function attendRows(
  frame: AttendFrame,
  r: Rows,
  queries: usize,
  strip: Strip,
  scratch: usize,
): void {
  const fours = unpacks(frame) ? r.rows & ~(REGISTER_ROWS - 1) : 0;
  const tile = strip.tile;
  const last = (r.rows - 1) & ~(REGISTER_ROWS - 1);
  if (fours) {
    takeRows(frame, strip, r, last, queries, scratch);
    for (let j = 0; j < strip.seen;) {
      j = locateRun(frame, strip, false, j);
      unpackKeys(tile, strip);
    }
    tile.rows = fours;
    tile.columns = strip.seen;
    tile.reach = reach(frame, r);
    packQueries(tile, queries, frame.headSize);
    scoreTogether(tile, scoresOf(scratch));
  }
  for (let i = fours; i < r.rows; i += WORKS) {
    takeRows(frame, strip, r, i, queries, scratch);
    score(frame, strip);
  }
  strip.copies = true;
  if (fours) {
    takeRows(frame, strip, r, last, queries, scratch);
    for (let j = 0; j < strip.seen;) {
      j = locateRun(frame, strip, true, j);
      unpackValues(tile, strip);
    }
    strip.copies = isSpecial(tile, strip.seen);
  }
  softmaxTile(frame, r, scratch, strip.copies);
  for (let i = 0; i < r.rows; i += WORKS) {
    takeRows(frame, strip, r, i, queries, scratch);
    addValues(frame, strip, fours != 0);
  }
}

/** Up to WORKS rows from i on. */
function takeRows(
  frame: AttendFrame,
  strip: Strip,
  r: Rows,
  i: i32,
  queries: usize,
  scratch: usize,
): void {
  strip.works = 0;
  const end = min(i + WORKS, r.rows);
  for (; i < end; i++) {
    const query = queries + <usize>i * queryBytes(frame.headSize);
    takeRow(frame, strip, r, i, query, scratch + <usize>i * TILE_ROW);
  }
}

/** Row i of `r` joins the strip; its scores are the first row of `scratch`. */
export function takeRow(
  frame: AttendFrame,
  strip: Strip,
  r: Rows,
  i: i32,
  query: usize,
  scratch: usize,
): void {
  if (!strip.works) {
    strip.rows = r;
    // As many for all rows of a register block.
    strip.seen = min(reach(frame, r) + (i | (REGISTER_ROWS - 1)), r.columns);
  }
  const work = workOf(strip, strip.works++);
  const head = <usize>keyValueHead(frame, r.h);
  work.rows = r;
  work.scores = scoresOf(scratch);
  work.copy = strip.copies ? spareOf(frame, scratch) : 0;
  work.products = work.numbers == NumbersKind.int16 ? work.scores : work.room;
  work.query = changetype<Query>(query);
  work.output = r.states.output + ((<usize>i * <usize>r.states.columns) << 2);
  work.keyHead = (head * keyStrides(frame).head) << 2;
  work.valueHead = (head * valueStrides(frame).head) << 2;
}

/** Whether all rows read one head. */
// @ts-ignore: decorator
@inline
function ofOneHead(strip: Strip): bool {
  return workOf(strip, 0).keyHead == workOf(strip, strip.works - 1).keyHead;
}

/** The run of stored keys or values from key j of the tile on, as far as a page goes; the key after it. */
function locateRun(frame: AttendFrame, strip: Strip, values: bool, j: i32): i32 {
  const r = strip.rows;
  const from = r.column + j;
  const strides = values ? valueStrides(frame) : keyStrides(frame);
  const row = values ? frame.valuePageRow : frame.keyPageRow;
  strip.run = storedRow(frame, r.b, values ? frame.value : frame.key, strides.batch, row, from);
  strip.stride = row << 2;
  strip.first = j;
  strip.count = min(strip.seen - j, frame.pageSize - (from % frame.pageSize));
  return j + strip.count;
}

export function score(frame: AttendFrame, strip: Strip): void {
  for (let j = 0; j < strip.seen;) {
    j = locateRun(frame, strip, false, j);
    scoreRun(strip, frame.numbers);
  }
}

/**
 * The rows' outputs += their weights, which their scores have become, times the values; by the strip's tile, where
 * it is `unpacked`.
 */
export function addValues(frame: AttendFrame, strip: Strip, unpacked: bool): void {
  const seen = strip.seen;
  if (seen <= 0) return;
  const same = ofOneHead(strip);
  const columns = workOf(strip, 0).columns;
  const all = ceil8(frame.valueSize);
  for (let column = 0; column < frame.valueSize; column += columns) {
    const count = min(ceil8(columns), all - column);
    // Of int4 the next block.
    const block = <usize>(column / columns);
    const at = block * BLOCK_BYTES;
    let scales = workOf(strip, 0).room;
    if (unpacked) scales = strip.tile.scales + block * TILE_ROW;
    else {
      for (let j = 0; j < seen;) {
        j = locateRun(frame, strip, true, j);
        gatherScales(strip, same ? 1 : strip.works, at);
      }
    }
    let weighed = 0;
    // The first's room, where the scales of all may be, is written last.
    for (let i = strip.works - 1; i >= 0; i--) {
      const work = workOf(strip, i);
      work.scales = same ? scales : work.room;
      if (weigh(work, seen)) weighed |= 1 << i;
    }
    if (!weighed) continue;
    if (unpacked && weighed == (1 << WORKS) - 1) {
      addTogether(strip, column, count);
      continue;
    }
    for (let j = 0; j < seen;) {
      j = locateRun(frame, strip, true, j);
      for (let i = 0; i < strip.works; i++) {
        if ((weighed >> i) & 1) addRun(strip, workOf(strip, i), at);
      }
    }
    for (let i = 0; i < strip.works; i++) {
      if ((weighed >> i) & 1) addSums(workOf(strip, i), column, count);
    }
  }
}
