// Few queries: one pass over the keys for all heads of a group, whose rows are all begun.
//
// One thread takes a head after the other. Several share a head's keys, a span each, and the last item of
// a head merges its spans. With one query keys and values are read where they lie (one.ts), of several
// groups in turns, with more a tile is packed and every head of the group attends to it.
//
//   shared   where threads share a head: the Rows of every span
//   thread   a packed tile, scratch of a tile or of one for each row of some groups, else Rows of an item's
//            groups

import { WeightsKind } from "../../kinds";
import { KEYS, ROWS, SPAN, tilesOf } from "../../tiles";
import { AttendFrame, sequenceOf } from "../frame";
import { groupSize, keyValueHeadOf } from "../heads";
import { packTile, panelTileBytes } from "../panels";
import {
  beginRows,
  enterSpan,
  finishRows,
  initTotal,
  mergeSpan,
  locateRows,
  Rows,
  rowsBytes,
  skips,
  spans,
} from "../rows";
import { blockOf, gatheredOf, scratchTileBytes } from "../scratch";
import { attendTile, partKeys } from "../step";
import { firstKey, lastKey } from "../visible/window";
import { attendOne, turns } from "./one";

/** Whether all rows of a head are begun at once. Their mean would be stored for each head. */
// @ts-ignore: decorator
@inline
export function few(frame: AttendFrame): bool {
  return frame.queries <= ROWS && frame.weightsKind != WeightsKind.mean;
}

/** Whether threads share one head's keys. */
// @ts-ignore: decorator
@inline
function splits(frame: AttendFrame): bool {
  return frame.threads > 1 && spans(frame) > 1;
}

/** Key and value heads of an item: small pages hold all heads of a tile's keys, and are read in their order. */
function itemHeads(frame: AttendFrame): i32 {
  if (!readsInPlace(frame)) return 1;
  const heads = frame.keyValueHeads;
  const most = splits(frame) ? heads : tilesOf(heads, frame.threads);
  if (frame.locate && frame.pageSize <= KEYS) return most;
  return max(tilesOf(most, max(tilesOf(most, turns(frame)), 1)), 1);
}

/** Items of a sequence, but for spans. */
// @ts-ignore: decorator
@inline
function parts(frame: AttendFrame): i32 {
  return tilesOf(frame.keyValueHeads, itemHeads(frame));
}

/** Spans of all items. */
// @ts-ignore: decorator
@inline
function allSpans(frame: AttendFrame): i32 {
  return frame.batch * parts(frame) * spans(frame);
}

/** Bytes of the rows of all heads of a group. */
// @ts-ignore: decorator
@inline
function groupBytes(frame: AttendFrame): usize {
  return <usize>groupSize(frame) * <usize>rowsBytes(frame);
}

/** Bytes of an item's rows. */
// @ts-ignore: decorator
@inline
function itemBytes(frame: AttendFrame): u64 {
  return <u64>(itemHeads(frame) * groupSize(frame)) * rowsBytes(frame);
}

/** Whether keys and values are not packed. */
// @ts-ignore: decorator
@inline
function readsInPlace(frame: AttendFrame): bool {
  return frame.queries == 1;
}

/** Bytes of a packed tile, or of the scratch of further rows. */
// @ts-ignore: decorator
@inline
export function tileBytes(frame: AttendFrame): u64 {
  if (!readsInPlace(frame)) return panelTileBytes(frame);
  const rows = min(itemHeads(frame), turns(frame)) * groupSize(frame);
  return <u64>(rows - 1) * scratchTileBytes(frame);
}

export function fewSharedBytes(frame: AttendFrame): u64 {
  return splits(frame) ? <u64>allSpans(frame) * itemBytes(frame) : 0;
}

export function fewThreadBytes(frame: AttendFrame): u64 {
  const rows: u64 = splits(frame) ? 0 : itemBytes(frame);
  return tileBytes(frame) + scratchTileBytes(frame) + rows;
}

/** One for each head or some, or for each of their spans and then for what becomes of them. */
export function fewItems(frame: AttendFrame): f64 {
  if (!frame.keyValueHeads) return 0;
  return <f64>frame.batch * <f64>parts(frame) * (splits(frame) ? 1 + <f64>spans(frame) : 1);
}

export function fewReady(frame: AttendFrame, item: i32): i32 {
  return splits(frame) && item >= allSpans(frame) ? allSpans(frame) : 0;
}

export function runFew(
  frame: AttendFrame,
  item: i32,
  shared: usize,
  scratch: usize,
  key: i32,
): i32 {
  const bytes = <usize>itemBytes(frame);
  const block = blockOf(frame, scratch + <usize>tileBytes(frame));
  if (!splits(frame)) {
    const rows = scratch + <usize>tileBytes(frame) + scratchTileBytes(frame);
    const next = attendSpan(frame, item, -1, key, rows, scratch);
    if (!next) finishItem(frame, rows, 1, block);
    return next;
  }
  const count = spans(frame);
  if (item < allSpans(frame)) {
    const rows = shared + <usize>item * bytes;
    return attendSpan(frame, item / count, item % count, key, rows, scratch);
  }
  const first = (item - allSpans(frame)) * count;
  finishItem(frame, shared + <usize>first * bytes, count, block);
  return 0;
}

/** A span of the heads of item `index`, or with −1 all their keys, from `key` on, for their rows. */
function attendSpan(
  frame: AttendFrame,
  index: i32,
  span: i32,
  key: i32,
  rows: usize,
  scratch: usize,
): i32 {
  const low = max(span, 0) * SPAN;
  const high = span < 0 ? frame.keys : min(low + SPAN, frame.keys);
  const b = index / parts(frame);
  const group = groupSize(frame);
  const start = (index % parts(frame)) * itemHeads(frame) * group;
  const end = min(start + itemHeads(frame) * group, frame.heads);
  for (let h = start; h < end && !key; h++) {
    const r = changetype<Rows>(rows + <usize>(h - start) * <usize>rowsBytes(frame));
    locateRows(frame, r, b, h, 0);
    beginRows(frame, r, low, high);
  }
  const to = min(lastKey(frame, b, sequenceOf(frame, b).queries), high);
  const first = max(max(firstKey(frame, b, 0), low), key);
  const stop = min(<i64>first + partKeys(frame, (end - start) * frame.queries), to);
  if (readsInPlace(frame)) {
    const behind = rows + <usize>(end - start) * <usize>rowsBytes(frame);
    attendOne(frame, first, <i32>stop, rows, behind, scratch);
  } else attendTiles(frame, first, <i32>stop, rows, scratch);
  return stop < to ? <i32>stop : 0;
}

/** Keys [first, stop) for a group's rows, packed a tile at a time. */
function attendTiles(frame: AttendFrame, first: i32, stop: i32, rows: usize, panels: usize): void {
  const scratch = panels + <usize>tileBytes(frame);
  const step = <usize>rowsBytes(frame);
  const end = rows + groupBytes(frame);
  for (let from = first; from < stop; from += KEYS) {
    let packed = false;
    for (let at = rows; at < end; at += step) {
      const r = changetype<Rows>(at);
      r.column = from;
      r.columns = min(KEYS, stop - from);
      if (skips(frame, r)) continue;
      if (!packed) {
        const head = keyValueHeadOf(frame, r.b, r.h);
        packTile(frame, head, from, r.columns, panels, gatheredOf(frame, panels));
      }
      packed = true;
      enterSpan(frame, r, from);
      attendTile(frame, r, panels, scratch);
    }
  }
}

/** Query heads whose rows are there, of the item that begins with those. */
// @ts-ignore: decorator
@inline
function headsOf(frame: AttendFrame, rows: usize): i32 {
  return min(itemHeads(frame) * groupSize(frame), frame.heads - changetype<Rows>(rows).h);
}

/** The results of an item's rows, from `count` sets of them, each of its own span. */
function finishItem(frame: AttendFrame, rows: usize, count: i32, block: usize): void {
  const step = <usize>rowsBytes(frame);
  const bytes = <usize>itemBytes(frame);
  const end = <usize>headsOf(frame, rows) * step;
  for (let at: usize = 0; at < end; at += step) {
    const r = changetype<Rows>(rows + at);
    if (count > 1) initTotal(r);
    for (let span: usize = 0; span < <usize>count; span++) {
      mergeSpan(frame, r, changetype<Rows>(rows + span * bytes + at));
    }
    finishRows(frame, r, block);
  }
}
