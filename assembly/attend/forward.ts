// output = softmax(scores(Q·Kᵀ)) · V, a tile of query rows at a time.
//
// For each tile the keys stream by, KEYS at a time: score, adjust, move the softmax state,
// rescale and add to the output rows; the division by l comes last (Dao et al. 2022,
// "FlashAttention"). Three roads to the same bits:
//
//   many queries   a head's keys and values are packed once, then read by every tile of rows
//   up to ROWS     they are packed a tile at a time, and every head of the group takes it
//   one query      they are read where they lie
//
// Memory is the panels and the rows on their way, never L × S. Q [B, H, L, D], K [B, Hkv, S, D],
// V [B, Hkv, S, Dv] by strides; the caller has checked every size and address.

import { Sequence, Slot, WeightsKind } from "../frame";
import { address, size } from "../slots";
import { KEYS, ROWS } from "../tiles";
import { packTiles, panelBytes } from "./panels";
import { beginRows, finishRows, Rows, rowsBytes, sharedBytes, skips, takeKeys } from "./rows";
import { firstKey, heldRows, lastKey, sequence } from "./window";

/** Whether all rows of a head are on their way at once. Their mean would be kept for each head. */
// @ts-ignore: decorator
@inline
function streams(frame: usize): bool {
  return size(frame, Slot.queries) <= ROWS && size(frame, Slot.weightsKind) != WeightsKind.mean;
}

// @ts-ignore: decorator
@inline
function groupSize(frame: usize): i32 {
  const keyValueHeads = size(frame, Slot.keyValueHeads);
  return keyValueHeads ? size(frame, Slot.heads) / keyValueHeads : 0;
}

/** Tiles of keys that are packed at once. */
// @ts-ignore: decorator
@inline
function heldTiles(frame: usize): i32 {
  if (!streams(frame)) return (size(frame, Slot.keys) + KEYS - 1) / KEYS;
  return size(frame, Slot.queries) == 1 ? 0 : 1;
}

/** Bytes of Slot.scratch; a float64, since it may be more than linear memory can hold. */
export function attendScratchBytes(frame: usize): f64 {
  const rows = <u64>(streams(frame) ? groupSize(frame) : 1) * rowsBytes(frame);
  return <f64>(panelBytes(frame, heldTiles(frame)) + sharedBytes(frame) + rows);
}

/** The whole call, on one thread. */
export function attend(frame: usize): void {
  const held = heldTiles(frame);
  const panels = address(frame, Slot.scratch);
  const shared = panels + <usize>panelBytes(frame, held);
  const rows = shared + sharedBytes(frame);
  for (let b = 0; b < size(frame, Slot.batch); b++) {
    for (let head = 0; head < size(frame, Slot.keyValueHeads); head++) {
      if (streams(frame)) attendStreaming(frame, b, head, held ? panels : 0, shared, rows);
      else attendPanels(frame, b, head, panels, shared, changetype<Rows>(rows));
    }
  }
}

/** All query tiles that read one key and value head. */
function attendPanels(
  frame: usize,
  b: i32,
  head: i32,
  panels: usize,
  shared: usize,
  r: Rows,
): void {
  const group = groupSize(frame);
  const first = firstKey(frame, b, 0);
  packTiles(frame, b, head, first, lastKey(frame, b, sequence(frame, b, Sequence.queries)), panels);
  for (let h = head * group; h < (head + 1) * group; h++) {
    for (let start = 0; start < heldRows(frame, b); start += ROWS) {
      beginRows(frame, r, b, h, start);
      const to = r.count ? lastKey(frame, b, start + r.count) : 0;
      for (let from = firstKey(frame, b, start); from < to; from += KEYS) {
        const count = min(KEYS, to - from);
        if (skips(frame, r, from, count)) continue;
        takeKeys(frame, r, from, count, panels, (from - first) / KEYS, shared);
      }
      finishRows(frame, r, shared);
    }
  }
}

/** The same with few queries: one pass over the keys for all heads of the group. */
function attendStreaming(
  frame: usize,
  b: i32,
  head: i32,
  panels: usize,
  shared: usize,
  rows: usize,
): void {
  const group = groupSize(frame);
  const step = <usize>rowsBytes(frame);
  const end = rows + <usize>group * step;
  let h = head * group;
  for (let at = rows; at < end; at += step) beginRows(frame, changetype<Rows>(at), b, h++, 0);
  const to = lastKey(frame, b, sequence(frame, b, Sequence.queries));
  for (let from = firstKey(frame, b, 0); from < to; from += KEYS) {
    const count = min(KEYS, to - from);
    let packed = panels == 0;
    for (let at = rows; at < end; at += step) {
      const r = changetype<Rows>(at);
      if (skips(frame, r, from, count)) continue;
      if (!packed) packTiles(frame, b, head, from, from + count, panels);
      packed = true;
      takeKeys(frame, r, from, count, panels, 0, shared);
    }
  }
  for (let at = rows; at < end; at += step) finishRows(frame, changetype<Rows>(at), shared);
}
