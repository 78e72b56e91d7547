// Many queries: heads are taken frame.packedHeads at a time, in rounds: first all tiles of their keys are
// packed, an item each, then all tiles of their rows attend to them. A kind of tile may look at a whole head
// before that, an item too.
//
//   shared   the panels of a round's heads
//   thread   scratch of a tile, then Rows
//
// S is how a tile is kept and attended to, a class without fields, as Floats of step.ts.

import { KEYS, ROWS, tilesOf } from "../../tiles";
import { AttendFrame, sequenceOf } from "../frame";
import { allHeads, everyHead, groupSize } from "../heads";
import { beginRows, enterSpan, finishRows, mergeSpan, locateRows, Rows, skips } from "../rows";
import { blockOf, gatheredOf, scratchTileBytes } from "../scratch";
import { partKeys } from "../step";
import { firstKey, lastKey, resultRows } from "../visible/window";

/** The functions of a kind of tile. It is no object: what is called is known when it is compiled. */
export interface TileKind {
  /** Items of a head before its tiles are packed, 0 or 1. */
  headItems(): i32;
  /** Bytes of what they find, before the head's tiles. */
  headBytes(frame: AttendFrame): u64;
  prepare(frame: AttendFrame, head: i32, panels: usize): void;
  /** Bytes of a packed tile. */
  tileBytes(frame: AttendFrame): u64;
  /** Bytes of Rows with what is kept beside them. */
  rowsBytes(frame: AttendFrame): u64;
  pack(frame: AttendFrame, head: i32, from: i32, count: i32, panels: usize, gathered: usize): void;
  /** Before the first tile of these rows. */
  begin(frame: AttendFrame, r: Rows, panels: usize): void;
  attend(frame: AttendFrame, r: Rows, tile: usize, scratch: usize): void;
}

/** Tiles of a head's keys. */
// @ts-ignore: decorator
@inline
function keyTiles(frame: AttendFrame): i32 {
  return tilesOf(frame.keys, KEYS);
}

/** Tiles of a head's query rows. */
// @ts-ignore: decorator
@inline
function headTiles(frame: AttendFrame): i32 {
  return tilesOf(frame.queries, ROWS);
}

/** Tiles of the query rows that read one key and value head. */
// @ts-ignore: decorator
@inline
function rowTiles(frame: AttendFrame): i32 {
  return groupSize(frame) * headTiles(frame);
}

// @ts-ignore: decorator
@inline
function tileBytes<S extends TileKind>(frame: AttendFrame): u64 {
  return changetype<S>(0).tileBytes(frame);
}

// @ts-ignore: decorator
@inline
function headBytes<S extends TileKind>(frame: AttendFrame): u64 {
  return changetype<S>(0).headBytes(frame) + <u64>keyTiles(frame) * tileBytes<S>(frame);
}

/** Where the tile of a head's keys from `from` on is packed. */
// @ts-ignore: decorator
@inline
export function tileAt<S extends TileKind>(frame: AttendFrame, panels: usize, from: i32): usize {
  const first = panels + <usize>changetype<S>(0).headBytes(frame);
  return first + <usize>(from / KEYS) * <usize>tileBytes<S>(frame);
}

export function manySharedBytes<S extends TileKind>(frame: AttendFrame): u64 {
  return <u64>min(frame.packedHeads, allHeads(frame)) * headBytes<S>(frame);
}

export function manyThreadBytes<S extends TileKind>(frame: AttendFrame): u64 {
  return scratchTileBytes(frame) + changetype<S>(0).rowsBytes(frame);
}

/** A float64: many short sequences beside a long one may be more than an item's number can say. */
export function manyItems<S extends TileKind>(frame: AttendFrame): f64 {
  const packed = <f64>(changetype<S>(0).headItems() + keyTiles(frame));
  const tiles = packed + <f64>groupSize(frame) * <f64>headTiles(frame);
  return everyHead(frame) * tiles;
}

/** Items of a round, but for the last. */
// @ts-ignore: decorator
@inline
function roundItems<S extends TileKind>(frame: AttendFrame): i32 {
  const items = changetype<S>(0).headItems() + keyTiles(frame) + rowTiles(frame);
  return frame.packedHeads * items;
}

/** Heads of a round. */
// @ts-ignore: decorator
@inline
function roundHeads(frame: AttendFrame, round: i32): i32 {
  return min(frame.packedHeads, allHeads(frame) - round * frame.packedHeads);
}

/** Rows wait for all panels of their round, they for their heads, those for all rows of the round before. */
export function manyReady<S extends TileKind>(frame: AttendFrame, item: i32): i32 {
  const round = item / roundItems<S>(frame);
  const start = round * roundItems<S>(frame);
  const heads = roundHeads(frame, round);
  const prepared = start + heads * changetype<S>(0).headItems();
  const packed = prepared + heads * keyTiles(frame);
  if (item < prepared) return start;
  return item < packed ? prepared : packed;
}

export function runMany<S extends TileKind>(
  frame: AttendFrame,
  item: i32,
  shared: usize,
  scratch: usize,
  key: i32,
): i32 {
  const tiles = keyTiles(frame);
  const round = item / roundItems<S>(frame);
  const first = round * frame.packedHeads;
  const heads = roundHeads(frame, round);
  const packing = heads * tiles;
  let within = item - round * roundItems<S>(frame);
  if (changetype<S>(0).headItems()) {
    if (within < heads) {
      const panels = shared + <usize>within * <usize>headBytes<S>(frame);
      changetype<S>(0).prepare(frame, first + within, panels);
      return 0;
    }
    within -= heads;
  }
  if (within < packing) {
    const panels = shared + <usize>(within / tiles) * <usize>headBytes<S>(frame);
    packHead<S>(frame, first + within / tiles, within % tiles, panels, gatheredOf(frame, scratch));
    return 0;
  }
  const rows = rowTiles(frame);
  const index = (within - packing) / rows;
  const panels = shared + <usize>index * <usize>headBytes<S>(frame);
  return attendRows<S>(frame, first + index, (within - packing) % rows, panels, scratch, key);
}

/** Packs a tile of a head's keys, if any query sees it. */
function packHead<S extends TileKind>(
  frame: AttendFrame,
  index: i32,
  tile: i32,
  panels: usize,
  gathered: usize,
): void {
  const b = index / frame.keyValueHeads;
  const from = tile * KEYS;
  const to = lastKey(frame, b, sequenceOf(frame, b).queries);
  if (from < firstKey(frame, b, 0) || from >= to) return;
  changetype<S>(0).pack(frame, index, from, min(KEYS, to - from), panels, gathered);
}

/**
 * A tile of the rows that read key and value head `index` of all batches. A head's last rows come first:
 * where causal they are the longest, and threads wait for whoever is last.
 */
function attendRows<S extends TileKind>(
  frame: AttendFrame,
  index: i32,
  tile: i32,
  panels: usize,
  scratch: usize,
  key: i32,
): i32 {
  const r = changetype<Rows>(scratch + scratchTileBytes(frame));
  const b = index / frame.keyValueHeads;
  const tiles = headTiles(frame);
  const start = (tiles - 1 - (tile % tiles)) * ROWS;
  if (start >= resultRows(frame, b)) return 0;
  if (!key) {
    const h = (index % frame.keyValueHeads) * groupSize(frame) + tile / tiles;
    locateRows(frame, r, b, h, start);
    beginRows(frame, r, 0, frame.keys);
    changetype<S>(0).begin(frame, r, panels);
  }
  const to = r.rows ? lastKey(frame, b, start + r.rows) : 0;
  const first = max(firstKey(frame, b, start), key);
  const stop = min(<i64>first + partKeys(frame, r.rows), to);
  for (let from = first; from < stop; from += KEYS) {
    r.column = from;
    r.columns = min(KEYS, to - from);
    if (skips(frame, r)) continue;
    enterSpan(frame, r, from);
    changetype<S>(0).attend(frame, r, tileAt<S>(frame, panels, from), scratch);
  }
  if (stop < to) return <i32>stop;
  mergeSpan(frame, r, r);
  finishRows(frame, r, blockOf(frame, scratch));
  return 0;
}
