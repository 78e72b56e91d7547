// Rows of queries with the scores of all keys they see at once, which grows with S, not with L·S: what a normaliser
// needs that has to know the whole row, and what its gradient needs.
//
//   shared   the panels of all heads' keys and values (attend/panels.ts)
//   thread   Strip, scratch of a tile, Rows, then
//     tiles     [tiles][rows][KEYS] scores, those of tiles that some row sees, one after another
//     columns   [tiles], the first key of each
//     list      [tiles · KEYS]
//     hidden    where weights are modified

import { sequenceOf } from "../attend/frame";
import { allHeads, groupSize } from "../attend/heads";
import { packTile, panelTileBytes, tileKeyPanels } from "../attend/panels";
import { beginRows, locateRows, Rows, rowsBytes, skips, tileRows } from "../attend/rows";
import { finishScores } from "../attend/scores/scores";
import { productOf, scratchTileBytes, spareOf } from "../attend/scratch";
import { partKeys, reach } from "../attend/step";
import { firstKey, lastKey, resultRows } from "../attend/visible/window";
import { scoreTile } from "../gemm/products";
import { KEYS, ROWS, TILE_ROW, tilesOf } from "../tiles";
import { addBias, additiveTile } from "./additive";
import { EntmaxRow } from "./entmax";
import { VariantAttendFrame } from "./frame";
import { addSpan, spanOf } from "./span";
import { hiddenBytes } from "./strip-modified";


@unmanaged
export class Strip {
  rows: usize = 0;
  scratch: usize = 0;
  tiles: usize = 0;
  columns: usize = 0;
  list: usize = 0;
  /** See strip-modified.ts. */
  hidden: usize = 0;
  /** Tiles that are there. */
  count: i32 = 0;
}

const HEADER: usize = 64;

// @ts-ignore: decorator
@inline
function keyTiles(frame: VariantAttendFrame): i32 {
  return tilesOf(frame.keys, KEYS);
}

/** Bytes of a tile of scores. */
// @ts-ignore: decorator
@inline
export function stripTileBytes(frame: VariantAttendFrame): usize {
  return <usize>tileRows(frame) * TILE_ROW;
}

// @ts-ignore: decorator
@inline
export function panelBytes(frame: VariantAttendFrame): f64 {
  return <f64>allHeads(frame) * <f64>keyTiles(frame) * <f64>panelTileBytes(frame);
}

export function stripBytes(frame: VariantAttendFrame): f64 {
  const tile = <f64>(stripTileBytes(frame) + hiddenBytes(frame)) + <f64>TILE_ROW + 16;
  const fixed = HEADER + scratchTileBytes(frame) + <usize>rowsBytes(frame) + 64;
  return <f64>((fixed + 63) & ~63) + Math.ceil((<f64>keyTiles(frame) * tile) / 64) * 64;
}

export function layOutStrip(frame: VariantAttendFrame, at: usize): Strip {
  const strip = changetype<Strip>(at);
  strip.scratch = at + HEADER;
  strip.rows = (strip.scratch + scratchTileBytes(frame) + 15) & ~15;
  strip.tiles = (strip.rows + <usize>rowsBytes(frame) + 15) & ~15;
  strip.columns = strip.tiles + <usize>keyTiles(frame) * stripTileBytes(frame);
  strip.list = strip.columns + ((<usize>keyTiles(frame)) << 4);
  strip.hidden = strip.list + <usize>keyTiles(frame) * TILE_ROW;
  return strip;
}

// @ts-ignore: decorator
@inline
export function stripRows(strip: Strip): Rows {
  return changetype<Rows>(strip.rows);
}

/** Items that pack a tile of a head's keys and values. */
export function packItems(frame: VariantAttendFrame): i32 {
  return allHeads(frame) * keyTiles(frame);
}

/** Items of rows: a tile of a query head's. */
export function rowItems(frame: VariantAttendFrame): i32 {
  return frame.batch * frame.heads * tilesOf(frame.queries, ROWS);
}

export function packItem(frame: VariantAttendFrame, item: i32): void {
  const index = item / keyTiles(frame);
  const from = (item % keyTiles(frame)) * KEYS;
  const b = index / frame.keyValueHeads;
  const to = lastKey(frame, b, sequenceOf(frame, b).queries);
  if (from >= to) return;
  packTile(frame, index, from, min(KEYS, to - from), panelsOf(frame, index, from), 0);
}

/** The panels of a tile of key and value head `index` of all batches. */
// @ts-ignore: decorator
@inline
export function panelsOf(frame: VariantAttendFrame, index: i32, from: i32): usize {
  const tile = <usize>(index * keyTiles(frame) + from / KEYS);
  return frame.scratch + tile * <usize>panelTileBytes(frame);
}

/** Key and value head of all batches that the rows read. */
// @ts-ignore: decorator
@inline
export function headIndex(frame: VariantAttendFrame, r: Rows): i32 {
  return r.b * frame.keyValueHeads + r.h / groupSize(frame);
}

/** Begins the rows of an item, the last of a head first; false where the result has none of them. */
export function beginStrip(frame: VariantAttendFrame, strip: Strip, item: i32): bool {
  const tiles = tilesOf(frame.queries, ROWS);
  const head = item / tiles;
  const row = (tiles - 1 - (item % tiles)) * ROWS;
  const b = head / frame.heads;
  if (row >= resultRows(frame, b)) return false;
  const r = stripRows(strip);
  locateRows(frame, r, b, head % frame.heads, row);
  beginRows(frame, r, 0, frame.keys);
  if (frame.additive) addBias(frame, r);
  strip.count = 0;
  return true;
}

/** Scores of some keys from `key` on; gives the key to go on from. */
export function scoreStrip(frame: VariantAttendFrame, strip: Strip, key: i32): i32 {
  const r = stripRows(strip);
  let to = r.rows ? lastKey(frame, r.b, r.row + r.rows) : 0;
  let first = max(firstKey(frame, r.b, r.row), key);
  if (frame.spanned) {
    const span = <i64>spanOf(frame, r.h);
    first = <i32>max(<i64>first, (<i64>r.position - span) & ~(<i64>KEYS - 1));
    to = <i32>max(min(<i64>to, <i64>r.position + r.rows + span), 0);
  }
  const stop = <i32>min(<i64>first + partKeys(frame, r.rows), to);
  for (let from = first; from < stop; from += KEYS) {
    r.column = from;
    r.columns = min(KEYS, to - from);
    if (skips(frame, r)) continue;
    const target = strip.tiles + <usize>strip.count * stripTileBytes(frame);
    store<i32>(strip.columns + ((<usize>strip.count) << 4), from);
    store<i32>(strip.columns + ((<usize>strip.count) << 4), r.columns, 4);
    scoreInto(frame, strip, target);
    strip.count++;
  }
  return stop < to ? stop : 0;
}

/** Scores of the tile of keys that the rows are at, after everything; −∞ past its keys. */
function scoreInto(frame: VariantAttendFrame, strip: Strip, target: usize): void {
  const r = stripRows(strip);
  scoreProduct(frame, strip, target);
  finishScores(frame, r, target, spareOf(frame, strip.scratch));
  if (frame.spanned) addSpan(frame, r, target, spareOf(frame, strip.scratch));
  for (let i = 0; i < r.rows; i++) {
    const row = target + <usize>i * TILE_ROW;
    for (let j = r.columns; j < KEYS; j++) store<f32>(row + ((<usize>j) << 2), -(<f32>Infinity));
  }
}

/** Scores before anything is done to them. */
export function scoreProduct(frame: VariantAttendFrame, strip: Strip, target: usize): void {
  const r = stripRows(strip);
  const keys = tileKeyPanels(panelsOf(frame, headIndex(frame, r), r.column));
  if (frame.additive) additiveTile(frame, r, keys, target);
  else {
    const p = productOf(strip.scratch);
    p.a = r.queries;
    p.b = keys;
    p.c = target;
    p.rows = r.rows;
    p.columns = r.columns;
    p.depth = frame.headSize;
    p.reach = reach(frame, r);
    scoreTile(p);
  }
}

/** Sets the rows at the tile of keys that was stored as `index`; gives its scores. */
export function stripTile(frame: VariantAttendFrame, strip: Strip, index: i32): usize {
  const r = stripRows(strip);
  r.column = load<i32>(strip.columns + ((<usize>index) << 4));
  r.columns = load<i32>(strip.columns + ((<usize>index) << 4), 4);
  return strip.tiles + <usize>index * stripTileBytes(frame);
}

/** Row i of what is stored. */
export function describeRow(frame: VariantAttendFrame, strip: Strip, i: i32, row: EntmaxRow): void {
  row.at = strip.tiles + <usize>i * TILE_ROW;
  row.segments = strip.count;
  row.step = stripTileBytes(frame);
  row.list = strip.list;
}
