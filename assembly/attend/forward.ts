// output = softmax(scores(Q·Kᵀ)) · V, a tile of query rows at a time.
//
// For each tile the keys stream by, KEYS at a time: score, adjust, move the softmax state,
// rescale and add to the output rows; the division by l comes last (Dao et al. 2022,
// "FlashAttention"). Three roads to the same bits:
//
//   many queries   a head's keys and values are packed once, then read by every tile of rows
//   up to ROWS     they are packed a tile at a time, and every head of the group takes it; with
//                  threads each takes a span of the keys, and the spans are merged
//   one query      the same, but they are read where they lie
//
// A call is a list of items, each its own part of the result or of the panels: see attendItem.
// Memory is the panels and the rows on their way, never L × S. Q [B, H, L, D], K [B, Hkv, S, D],
// V [B, Hkv, S, Dv] by strides; the caller has checked every size and address.

import { Sequence, Slot } from "../frame";
import { address, size } from "../slots";
import { KEYS, ROWS, tilesOf } from "../tiles";
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
  turnTo,
} from "./rows";
import {
  partKeys,
  streamBytes,
  streamCommonBytes,
  streamItem,
  streamItems,
  streamReady,
  streams,
} from "./stream";
import { takeKeys } from "./take";
import { firstKey, heldRows, lastKey, sequence } from "./window";

/** Tiles of a head's keys. */
// @ts-ignore: decorator
@inline
function keyTiles(frame: usize): i32 {
  return tilesOf(size(frame, Slot.keys), KEYS);
}

/** Tiles of a head's query rows. */
// @ts-ignore: decorator
@inline
function headTiles(frame: usize): i32 {
  return tilesOf(size(frame, Slot.queries), ROWS);
}

/** Tiles of the query rows that read one key and value head. */
// @ts-ignore: decorator
@inline
function rowTiles(frame: usize): i32 {
  return groupSize(frame) * headTiles(frame);
}

/** Bytes of what all threads use: the panels of the heads that are held. */
// @ts-ignore: decorator
@inline
function commonBytes(frame: usize): u64 {
  if (streams(frame)) return streamCommonBytes(frame);
  return <u64>min(size(frame, Slot.heldHeads), allHeads(frame)) * headBytes(frame);
}

// @ts-ignore: decorator
@inline
function headBytes(frame: usize): u64 {
  return panelBytes(frame, keyTiles(frame));
}

/** Bytes that each thread uses for itself. */
// @ts-ignore: decorator
@inline
function threadBytes(frame: usize): u64 {
  return streams(frame) ? streamBytes(frame) : sharedBytes(frame) + rowsBytes(frame);
}

/** Bytes of Slot.scratch; a float64, since it may be more than linear memory can hold. */
export function attendScratchBytes(frame: usize): f64 {
  return <f64>commonBytes(frame) + <f64>size(frame, Slot.threads) * <f64>threadBytes(frame);
}

/**
 * Items of a call. Few queries: see stream.ts. Many: heads are taken Slot.heldHeads at a time,
 * first all their tiles of keys to be packed, then all their tiles of rows. A float64, since many
 * short sequences beside a long one may be more than an item's number can say.
 */
export function attendItems(frame: usize): f64 {
  if (streams(frame)) return streamItems(frame);
  const tiles = <f64>keyTiles(frame) + <f64>groupSize(frame) * <f64>headTiles(frame);
  return everyHead(frame) * tiles;
}

/** How many of the first items have to be done before `item` begins. */
export function attendReady(frame: usize, item: i32): i32 {
  if (streams(frame)) return streamReady(frame, item);
  const round = roundOf(frame, item);
  const start = round * roundItems(frame);
  const packing = roundHeads(frame, round) * keyTiles(frame);
  return item < start + packing ? start : start + packing;
}

/** Items of a round, but for the last. */
// @ts-ignore: decorator
@inline
function roundItems(frame: usize): i32 {
  return size(frame, Slot.heldHeads) * (keyTiles(frame) + rowTiles(frame));
}

// @ts-ignore: decorator
@inline
function roundOf(frame: usize, item: i32): i32 {
  return item / roundItems(frame);
}

/** Heads of a round. */
// @ts-ignore: decorator
@inline
function roundHeads(frame: usize, round: i32): i32 {
  const held = size(frame, Slot.heldHeads);
  return min(held, allHeads(frame) - round * held);
}

/**
 * Some milliseconds of one item, in thread `thread`'s part of the scratch: from key 0, then from
 * the key the call before came to. 0 once the item is done. Doing all items again changes nothing.
 */
export function attendItem(frame: usize, item: i32, thread: i32, key: i32): i32 {
  const panels = address(frame, Slot.scratch);
  const own = panels + <usize>(commonBytes(frame) + <u64>thread * threadBytes(frame));
  if (streams(frame)) return streamItem(frame, item, panels, own, key);
  const tiles = keyTiles(frame);
  const round = roundOf(frame, item);
  const packing = roundHeads(frame, round) * tiles;
  let within = item - round * roundItems(frame);
  if (within < packing) {
    const head = panels + <usize>(within / tiles) * <usize>headBytes(frame);
    packHead(frame, round * size(frame, Slot.heldHeads) + within / tiles, within % tiles, head);
    return 0;
  }
  within -= packing;
  const rows = rowTiles(frame);
  const head = panels + <usize>(within / rows) * <usize>headBytes(frame);
  return attendRows(
    frame,
    round * size(frame, Slot.heldHeads) + within / rows,
    within % rows,
    head,
    own,
    key,
  );
}

/** Packs a tile of a head's keys, if any query sees it. */
function packHead(frame: usize, index: i32, tile: i32, panels: usize): void {
  const b = index / size(frame, Slot.keyValueHeads);
  const from = tile * KEYS;
  const to = lastKey(frame, b, sequence(frame, b, Sequence.queries));
  if (from < firstKey(frame, b, 0) || from >= to) return;
  const head = index % size(frame, Slot.keyValueHeads);
  packTile(frame, b, head, from, min(KEYS, to - from), panels, tile);
}

/**
 * A tile of the rows that read key and value head `index` of all batches. A head's last rows come
 * first: where causal they are the longest, and threads wait for whoever is last.
 */
function attendRows(frame: usize, index: i32, tile: i32, panels: usize, own: usize, key: i32): i32 {
  const shared = own;
  const r = changetype<Rows>(own + sharedBytes(frame));
  const b = index / size(frame, Slot.keyValueHeads);
  const tiles = headTiles(frame);
  const start = (tiles - 1 - (tile % tiles)) * ROWS;
  if (start >= heldRows(frame, b)) return 0;
  if (!key) {
    const h = (index % size(frame, Slot.keyValueHeads)) * groupSize(frame) + tile / tiles;
    beginRows(frame, r, b, h, start, 0, size(frame, Slot.keys));
  }
  const to = r.count ? lastKey(frame, b, start + r.count) : 0;
  const first = max(firstKey(frame, b, start), key);
  const stop = min(<i64>first + partKeys(frame, r.count), to);
  for (let from = first; from < stop; from += KEYS) {
    const count = min(KEYS, to - from);
    if (!skips(frame, r, from, count)) {
      turnTo(frame, r, from);
      takeKeys(frame, r, from, count, panels, from / KEYS, shared);
    }
  }
  if (stop < to) return <i32>stop;
  mergeSpan(frame, r, r);
  finishRows(frame, r, shared);
  return 0;
}
