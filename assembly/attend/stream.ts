// Few queries: one pass over the keys for all heads of a group, whose rows are all on their way.
//
// One thread takes a head after the other. Several share a head's keys, a span each, and the last
// item of a head merges its spans. With one query keys and values are read where they lie, with
// more a tile is packed and every head of the group takes it.

import { Sequence, Slot, WeightsKind } from "../frame";
import { address, size } from "../slots";
import { KEYS, PART, ROWS, SPAN } from "../tiles";
import { Ahead, aheadBytes, beginAhead, keysAt, liesFar } from "./ahead";
import { allHeads, everyHead, groupSize } from "./heads";
import { packTile, panelBytes } from "./panels";
import {
  beginRows,
  finishRows,
  mergeSpan,
  Rows,
  rowsBytes,
  sharedBytes,
  skips,
  spans,
  startTotals,
  turnTo,
} from "./rows";
import { scoreRow } from "./single";
import { takeKeys, takeScored } from "./take";
import { firstKey, lastKey, sequence } from "./window";

/** Whether all rows of a head are on their way at once. Their mean would be kept for each head. */
// @ts-ignore: decorator
@inline
export function streams(frame: usize): bool {
  return size(frame, Slot.queries) <= ROWS && size(frame, Slot.weightsKind) != WeightsKind.mean;
}

/** Keys that `rows` rows take in one part. */
// @ts-ignore: decorator
@inline
export function partKeys(frame: usize, rows: i32): i32 {
  const numbers = <i64>max(rows, 1) * (size(frame, Slot.headSize) + size(frame, Slot.valueSize));
  return <i32>max((PART / max(numbers, 1)) & ~(<i64>KEYS - 1), KEYS);
}

/** Whether threads share one head's keys. */
// @ts-ignore: decorator
@inline
function splits(frame: usize): bool {
  return size(frame, Slot.threads) > 1 && spans(frame) > 1;
}

/** Spans of all heads. */
// @ts-ignore: decorator
@inline
function allSpans(frame: usize): i32 {
  return allHeads(frame) * spans(frame);
}

/** Bytes of the rows of all heads of a group. */
// @ts-ignore: decorator
@inline
function groupBytes(frame: usize): u64 {
  return <u64>groupSize(frame) * rowsBytes(frame);
}

/** Bytes of a packed tile, or of what is on its way. */
// @ts-ignore: decorator
@inline
function tileBytes(frame: usize): u64 {
  return size(frame, Slot.queries) == 1
    ? aheadBytes(frame, groupSize(frame))
    : panelBytes(frame, 1);
}

/** Bytes of the rows that wait to be merged. */
export function streamCommonBytes(frame: usize): u64 {
  return splits(frame) ? <u64>allSpans(frame) * groupBytes(frame) : 0;
}

/** Bytes that each thread uses for itself: a tile, what heads use in turn, rows. */
export function streamBytes(frame: usize): u64 {
  const rows: u64 = splits(frame) ? 0 : groupBytes(frame);
  return tileBytes(frame) + sharedBytes(frame) + rows;
}

/** One for each head, or for each of its spans and then for what becomes of them. */
export function streamItems(frame: usize): f64 {
  return everyHead(frame) * (splits(frame) ? 1 + <f64>spans(frame) : 1);
}

export function streamReady(frame: usize, item: i32): i32 {
  return splits(frame) && item >= allSpans(frame) ? allSpans(frame) : 0;
}

export function streamItem(frame: usize, item: i32, common: usize, own: usize, key: i32): i32 {
  const shared = own + <usize>tileBytes(frame);
  const group = <usize>groupBytes(frame);
  if (!splits(frame)) {
    const rows = shared + sharedBytes(frame);
    const next = streamHead(frame, item, own, rows, key, 0, size(frame, Slot.keys));
    if (!next) finishHead(frame, rows, 1, shared);
    return next;
  }
  const count = spans(frame);
  if (item < allSpans(frame)) {
    const low = (item % count) * SPAN;
    const high = min(low + SPAN, size(frame, Slot.keys));
    return streamHead(frame, item / count, own, common + <usize>item * group, key, low, high);
  }
  const head = item - allSpans(frame);
  finishHead(frame, common + <usize>(head * count) * group, count, shared);
  return 0;
}

/** Keys [low, high) of a key and value head, from `key` on, for the group's rows at `rows`. */
function streamHead(
  frame: usize,
  index: i32,
  own: usize,
  rows: usize,
  key: i32,
  low: i32,
  high: i32,
): i32 {
  const b = index / size(frame, Slot.keyValueHeads);
  const head = index % size(frame, Slot.keyValueHeads);
  const group = groupSize(frame);
  const step = <usize>rowsBytes(frame);
  const end = rows + <usize>groupBytes(frame);
  let h = head * group;
  for (let at = rows; at < end && !key; at += step) {
    beginRows(frame, changetype<Rows>(at), b, h++, 0, low, high);
  }
  const to = min(lastKey(frame, b, sequence(frame, b, Sequence.queries)), high);
  const first = max(max(firstKey(frame, b, 0), low), key);
  const stop = min(<i64>first + partKeys(frame, group * size(frame, Slot.queries)), to);
  if (size(frame, Slot.queries) == 1) takeLying(frame, first, <i32>stop, own, rows, end);
  else takePacked(frame, head, first, <i32>stop, own, rows, end);
  return stop < to ? <i32>stop : 0;
}

/** Keys [first, stop) for all rows from `rows` to `end`, packed a tile at a time. */
function takePacked(
  frame: usize,
  head: i32,
  first: i32,
  stop: i32,
  own: usize,
  rows: usize,
  end: usize,
): void {
  const shared = own + <usize>tileBytes(frame);
  const step = <usize>rowsBytes(frame);
  for (let from = first; from < stop; from += KEYS) {
    const count = min(KEYS, stop - from);
    let packed = false;
    for (let at = rows; at < end; at += step) {
      const r = changetype<Rows>(at);
      if (skips(frame, r, from, count)) continue;
      if (!packed) packTile(frame, r.b, head, from, count, own, 0);
      packed = true;
      turnTo(frame, r, from);
      takeKeys(frame, r, from, count, own, 0, shared);
    }
  }
}

/** The same for one query where keys and values lie. */
function takeLying(frame: usize, first: i32, stop: i32, own: usize, rows: usize, end: usize): void {
  const shared = own + <usize>tileBytes(frame);
  const step = <usize>rowsBytes(frame);
  const stride = address(frame, Slot.keyRow) << 2;
  const far = liesFar(frame);
  const ahead = changetype<Ahead>(own);
  beginAhead(frame, ahead, rows, end);
  let scored = ahead.scores;
  let next = scored + ((<usize>groupSize(frame) * KEYS) << 2);
  let held = -1; // the first key of the tile that is scored
  for (let from = first; from < stop; from += KEYS) {
    const count = min(KEYS, stop - from);
    const following = from + KEYS;
    const ready = held == from;
    ahead.scores = next;
    ahead.count = far ? max(min(KEYS, stop - following), 0) : 0;
    let scores = scored;
    for (let at = rows; at < end; at += step) {
      const r = changetype<Rows>(at);
      if (!skips(frame, r, from, count)) {
        turnTo(frame, r, from);
        const keys = keysAt(frame, r.b, r.h, from);
        if (ready) memory.copy(shared, scores, (<usize>KEYS) << 2);
        else scoreRow(frame, r.queries, keys, stride, count, shared);
        ahead.keys = keysAt(frame, r.b, r.h, following);
        takeScored(frame, r, from, count, shared, ahead);
        // The first row's values had the next tile scored for all.
        if (ahead.count) held = following;
        ahead.count = 0;
      }
      scores += (<usize>KEYS) << 2;
    }
    if (held != following) continue;
    const taken = scored;
    scored = next;
    next = taken;
  }
}

/** The results of a group's rows, from `count` sets of them, each of its own span. */
function finishHead(frame: usize, rows: usize, count: i32, shared: usize): void {
  const step = <usize>rowsBytes(frame);
  const group = <usize>groupBytes(frame);
  for (let at: usize = 0; at < group; at += step) {
    const r = changetype<Rows>(rows + at);
    if (count > 1) startTotals(r);
    for (let span: usize = 0; span < <usize>count; span++) {
      mergeSpan(frame, r, changetype<Rows>(rows + span * group + at));
    }
    finishRows(frame, r, shared);
  }
}
