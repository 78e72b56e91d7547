// attend over pages of few bits: the steps of attend/items.ts on tiles as they are stored. This module has
// no fused multiply-add, so that both builds give the same bits.
//
// An item is a tile of one head's query rows or, of one query, some groups of heads or, where pages are no
// larger than tiles, all groups: pages are read in the order they lie in. Threads share the heads of one query or,
// where they are many, a sequence's spans of keys, which the last items merge.
//
//   shared   where threads share spans: Rows of every span and head
//   thread   a Strip, scratch of a tile, where rows attend together the tile unpacked, and without `shared`
//            the item's Rows; behind each Rows its queries

import { AttendFrame } from "../attend/frame";
import { groupSize } from "../attend/heads";
import {
  beginRows,
  enterSpan,
  finishRows,
  initTotal,
  locateRows,
  mergeSpan,
  Rows,
  rowsBytes,
  skips,
  spans,
  tileRows,
} from "../attend/rows";
import { blockOf, scratchTileBytes } from "../attend/scratch";
import { partKeys, softmaxTile } from "../attend/step";
import { firstKey, lastKey } from "../attend/visible/window";
import { NumbersKind, WeightsKind } from "../kinds";
import { KEYS, ROWS, SPAN, TILE_ROW, tilesOf } from "../tiles";
import { Query, queryBytes, roundQuery } from "./query";
import { addValues, attendRows, score, takeRow } from "./tile";
import { layOutUnpacked, Unpacked, unpackedBytes, unpacks } from "./unpack";
import { layOutStrip, Strip, stripBytes, workOf, WORKS } from "./work";

/** Whether all heads' rows are begun at once. Their mean would be stored for each. */
// @ts-ignore: decorator
@inline
function one(frame: AttendFrame): bool {
  return frame.queries == 1 && frame.weightsKind != WeightsKind.mean;
}

/** Whether threads share the spans of a sequence. */
// @ts-ignore: decorator
@inline
function splits(frame: AttendFrame): bool {
  return one(frame) && frame.threads > 1 && spans(frame) > 1;
}

/** Heads of an item: of large pages as many groups as a strip may read in turns. */
function itemHeads(frame: AttendFrame): i32 {
  if (!one(frame)) return 1;
  const most = splits(frame) ? frame.keyValueHeads : tilesOf(frame.keyValueHeads, frame.threads);
  const groups = frame.pageSize > KEYS ? tilesOf(most, tilesOf(most, WORKS)) : most;
  return groups * groupSize(frame);
}

/** Items of a sequence, but for spans. */
// @ts-ignore: decorator
@inline
function parts(frame: AttendFrame): i32 {
  return tilesOf(frame.heads, itemHeads(frame)) * tilesOf(frame.queries, ROWS);
}

/** Items of a sequence, but for those that merge. */
// @ts-ignore: decorator
@inline
function sequenceItems(frame: AttendFrame): i32 {
  return splits(frame) ? parts(frame) * spans(frame) : parts(frame);
}

/** Bytes of a head's rows with their queries, a multiple of 64. */
function headBytes(frame: AttendFrame): u64 {
  const queries = <u64>tileRows(frame) * queryBytes(frame.headSize);
  return rowsBytes(frame) + ((queries + 63) & ~63);
}

// @ts-ignore: decorator
@inline
function itemBytes(frame: AttendFrame): u64 {
  return <u64>itemHeads(frame) * headBytes(frame);
}

// @ts-ignore: decorator
@inline
function sharedBytes(frame: AttendFrame): u64 {
  return splits(frame) ? <u64>(frame.batch * sequenceItems(frame)) * itemBytes(frame) : 0;
}

/** Of a tile; each row of a strip has its own scores, copy and block. */
// @ts-ignore: decorator
@inline
function tileBytes(frame: AttendFrame): usize {
  return scratchTileBytes(frame) + <usize>WORKS * TILE_ROW;
}

// @ts-ignore: decorator
@inline
function threadBytes(frame: AttendFrame): u64 {
  const tile = stripBytes(frame.valueSize) + tileBytes(frame) + unpackedBytes(frame);
  return tile + (splits(frame) ? 0 : itemBytes(frame));
}

export function storedScratchBytes(frame: AttendFrame): f64 {
  return <f64>sharedBytes(frame) + <f64>frame.threads * <f64>threadBytes(frame);
}

export function storedItems(frame: AttendFrame): f64 {
  if (!frame.heads) return 0;
  const merging = splits(frame) ? parts(frame) : 0;
  return <f64>frame.batch * (<f64>sequenceItems(frame) + <f64>merging);
}

export function storedReady(frame: AttendFrame, item: i32): i32 {
  const before = frame.batch * sequenceItems(frame);
  return splits(frame) && item >= before ? before : 0;
}

/** As attendRun of attend/items.ts. */
export function storedRun(frame: AttendFrame, item: i32, thread: i32, key: i32): i32 {
  const shared = frame.scratch;
  const mine = shared + <usize>(sharedBytes(frame) + <u64>thread * threadBytes(frame));
  const scratch = mine + stripBytes(frame.valueSize);
  const bytes = <usize>itemBytes(frame);
  if (!splits(frame)) {
    const rows = mine + <usize>threadBytes(frame) - bytes;
    if (!key) beginItem(frame, item, -1, rows);
    const next = attendSpan(frame, -1, key, rows, mine);
    if (!next) finishItem(frame, rows, 1, scratch);
    return next;
  }
  const count = spans(frame);
  const before = frame.batch * sequenceItems(frame);
  if (item < before) {
    const rows = shared + <usize>item * bytes;
    if (!key) beginItem(frame, item / count, item % count, rows);
    return attendSpan(frame, item % count, key, rows, mine);
  }
  const first = (item - before) * count;
  finishItem(frame, shared + <usize>first * bytes, count, scratch);
  return 0;
}

// @ts-ignore: decorator
@inline
function firstOf(span: i32): i32 {
  return max(span, 0) * SPAN;
}

/** The key after the last of a span, or with −1 of all. */
// @ts-ignore: decorator
@inline
function endOf(frame: AttendFrame, span: i32): i32 {
  return span < 0 ? frame.keys : min(firstOf(span) + SPAN, frame.keys);
}

/** Rows and queries of the heads of an item, as counted without spans. Of many rows the last come first, as in attend/roads/many.ts. */
function beginItem(frame: AttendFrame, item: i32, span: i32, rows: usize): void {
  const tiles = tilesOf(frame.queries, ROWS);
  const within = item % parts(frame);
  const head = (within / tiles) * itemHeads(frame);
  const row = (tiles - 1 - (within % tiles)) * ROWS;
  const end = min(head + itemHeads(frame), frame.heads);
  for (let h = head; h < end; h++) {
    const r = rowsOf(frame, rows, h - head);
    locateRows(frame, r, item / parts(frame), h, row);
    beginRows(frame, r, firstOf(span), endOf(frame, span));
    for (let j = 0; j < r.rows; j++) {
      const panel = r.queries + ((<usize>(j & ~3) * <usize>frame.headSize + <usize>(j & 3)) << 2);
      const query = queriesOf(frame, r) + <usize>j * queryBytes(frame.headSize);
      roundQuery(frame.numbers, panel, frame.headSize, changetype<Query>(query));
    }
  }
}

// @ts-ignore: decorator
@inline
function rowsOf(frame: AttendFrame, rows: usize, i: i32): Rows {
  return changetype<Rows>(rows + <usize>i * <usize>headBytes(frame));
}

// @ts-ignore: decorator
@inline
function queriesOf(frame: AttendFrame, r: Rows): usize {
  return changetype<usize>(r) + <usize>rowsBytes(frame);
}

/** Heads whose rows are there, of the item that begins with those. */
// @ts-ignore: decorator
@inline
function headsOf(frame: AttendFrame, rows: usize): i32 {
  return min(itemHeads(frame), frame.heads - changetype<Rows>(rows).h);
}

/** Some keys of a span, from `key` on, for an item's heads; gives the key to go on from. */
function attendSpan(frame: AttendFrame, span: i32, key: i32, rows: usize, mine: usize): i32 {
  const strip = changetype<Strip>(mine);
  layOutStrip(strip, frame.numbers, frame.valueSize);
  if (unpacks(frame)) {
    strip.tile = changetype<Unpacked>(mine + stripBytes(frame.valueSize) + tileBytes(frame));
    layOutUnpacked(strip.tile, frame);
  }
  const scratch = mine + stripBytes(frame.valueSize);
  const count = headsOf(frame, rows);
  const head = changetype<Rows>(rows);
  const to = min(lastKey(frame, head.b, head.rows ? head.row + head.rows : 0), endOf(frame, span));
  const first = max(max(firstKey(frame, head.b, head.row), firstOf(span)), key);
  const stop = <i32>min(<i64>first + partKeys(frame, count * head.rows), to);
  // Shorter rows than those of int16 are no faster read in turns (bench/NOTES.md).
  const abreast = frame.numbers == NumbersKind.int16 ? WORKS : 1;
  for (let from = first; from < stop; from += KEYS) {
    for (let i = 0; i < count; i += abreast) {
      attendHeads(
        frame,
        rowsOf(frame, rows, i),
        min(abreast, count - i),
        from,
        min(KEYS, to - from),
        mine,
      );
    }
  }
  return stop < to ? stop : 0;
}

/** Keys [from, from + columns) for `count` heads, of one query side by side. */
function attendHeads(
  frame: AttendFrame,
  rows: Rows,
  count: i32,
  from: i32,
  columns: i32,
  mine: usize,
): void {
  const strip = changetype<Strip>(mine);
  const scratch = mine + stripBytes(frame.valueSize);
  strip.works = 0;
  for (let i = 0; i < count; i++) {
    const r = rowsOf(frame, changetype<usize>(rows), i);
    r.column = from;
    r.columns = columns;
    if (skips(frame, r)) continue;
    enterSpan(frame, r, from);
    if (one(frame))
      takeRow(frame, strip, r, 0, queriesOf(frame, r), scratch + <usize>strip.works * TILE_ROW);
    else attendRows(frame, r, queriesOf(frame, r), strip, scratch);
  }
  if (!one(frame) || !strip.works) return;
  score(frame, strip);
  for (let i = 0; i < strip.works; i++) {
    softmaxTile(frame, workOf(strip, i).rows, scratch + <usize>i * TILE_ROW, true);
  }
  addValues(frame, strip, false);
}

/** The results of an item's heads, from `count` sets of their rows, each of its own span. */
function finishItem(frame: AttendFrame, rows: usize, count: i32, scratch: usize): void {
  const bytes = <usize>itemBytes(frame);
  for (let i = 0; i < headsOf(frame, rows); i++) {
    const r = rowsOf(frame, rows, i);
    if (count > 1) initTotal(r);
    for (let span: usize = 0; span < <usize>count; span++) {
      mergeSpan(frame, r, rowsOf(frame, rows + span * bytes, i));
    }
    finishRows(frame, r, blockOf(frame, scratch));
  }
}
