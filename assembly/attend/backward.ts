// Gradients of output = softmax(scores(Q·Kᵀ)) · V, from those of the output and from logSumExp
// (Dao 2023, "FlashAttention-2", algorithm 2): the weights are made anew, tile by tile.
//
// For each query head, for each tile of keys, the tiles of rows stream by: see backward/tile.ts. A
// tile of keys gathers its gradients in a room of its own, and adds them to the results at its end, so
// that the heads of a group come one after the other; query gradients stay beside their packed rows
// until the last tile of keys. Every sum runs in an order that shapes alone decide.
//
// An item is all heads that read one key and value head of one batch. Memory is one query head's
// rows, packed, for each thread. Tensors as in forward.ts, gradients by the strides of their tensors.

import { Sequence, Slot } from "../frame";
import { address, element, size } from "../slots";
import { KEYS, PART, ROWS, tilesOf } from "../tiles";
import { beginKeyTile, finishKeyTile, keyTileBytes } from "./backward/keys";
import { beginRowTile, finishRowTile, rowTileBytes } from "./backward/rows";
import { takeTile, workBytes } from "./backward/tile";
import { tileIsBlocked } from "./blocks";
import { everyHead, groupSize } from "./heads";
import { tileIsMasked } from "./mask";
import { firstKey, firstRow, heldKeys, heldRows, lastKey, rowAfter, sequence } from "./window";

/** Where an item stands, at the foot of a thread's scratch, and what its query head has gathered. */
@unmanaged
class Progress {
  slopes: f64 = 0;
  sink: f64 = 0;
  /** The next step: a query head of the group, a tile of keys, one of rows. */
  h: i32 = 0;
  key: i32 = 0;
  row: i32 = 0;
  /** Tiles of rows [begin, end) that may see the tile of keys. */
  begin: i32 = 0;
  end: i32 = 0;
  /** Tiles of rows and of keys. */
  across: i32 = 0;
  down: i32 = 0;
}

const HEAD: usize = 64;

/** Bytes that each thread uses for itself. */
// @ts-ignore: decorator
@inline
function threadBytes(frame: usize): u64 {
  const tiles = <u64>tilesOf(size(frame, Slot.queries), ROWS);
  return HEAD + ((workBytes(frame) + 63) & ~63) + keyTileBytes(frame) + tiles * rowTileBytes(frame);
}

/** Bytes of Slot.scratch; a float64, since it may be more than linear memory can hold. */
export function backwardScratchBytes(frame: usize): f64 {
  return <f64>size(frame, Slot.threads) * <f64>threadBytes(frame);
}

/** Items of a call: one for each key and value head of each batch. A float64, as attendItems. */
export function backwardItems(frame: usize): f64 {
  return everyHead(frame);
}

/** Tiles that make some milliseconds. */
// @ts-ignore: decorator
@inline
function partTiles(frame: usize): i32 {
  const numbers = 3 * <i64>size(frame, Slot.headSize) + 2 * <i64>size(frame, Slot.valueSize);
  return <i32>max(PART / (ROWS * KEYS * max(numbers, 1)), 1);
}

/**
 * Some milliseconds of one item, in thread `thread`'s part of the scratch: from `step` 0, then, with
 * what the call before gave, from where that one stopped. 0 once the item is done. Doing an item
 * again changes nothing.
 */
export function backwardItem(frame: usize, item: i32, thread: i32, step: i32): i32 {
  const own = address(frame, Slot.scratch) + <usize>thread * <usize>threadBytes(frame);
  const at = changetype<Progress>(own);
  const b = item / size(frame, Slot.keyValueHeads);
  const head = item % size(frame, Slot.keyValueHeads);
  const group = groupSize(frame);
  if (!step) {
    clearResults(frame, b, head);
    at.h = 0;
    turnTo(frame, at, b, 0);
  }
  if (!at.down || !at.across) return 0;
  for (let left = partTiles(frame); at.h < group; left--) {
    if (!left) return 1;
    if (at.row < at.end) takeStep(frame, own, b, head);
    if (++at.row < at.end) continue;
    const key = at.key + 1;
    if (key == at.down) at.h++;
    turnTo(frame, at, b, key < at.down ? key : 0);
  }
  return 0;
}

/**
 * On to tile `key` of the keys, and in it to the first tile of rows that may see it. All take part in
 * the first tile of keys, where they begin, and in the last, where they end.
 */
function turnTo(frame: usize, at: Progress, b: i32, key: i32): void {
  at.across = tilesOf(sequence(frame, b, Sequence.queries), ROWS);
  at.down = tilesOf(sequence(frame, b, Sequence.keys), KEYS);
  const every = key == 0 || key == at.down - 1;
  at.key = key;
  at.begin = every ? 0 : firstRow(frame, b, key * KEYS) / ROWS;
  at.end = every ? at.across : tilesOf(rowAfter(frame, b, key * KEYS + KEYS), ROWS);
  at.row = at.begin;
}

/** One tile of rows by one tile of keys, and what begins and ends with them. */
function takeStep(frame: usize, own: usize, b: i32, head: i32): void {
  const at = changetype<Progress>(own);
  const work = own + HEAD;
  const keyTile = work + ((<usize>workBytes(frame) + 63) & ~63);
  const rowTiles = keyTile + <usize>keyTileBytes(frame);
  const key = at.key;
  const row = at.row;
  const h = head * groupSize(frame) + at.h;
  const keys = sequence(frame, b, Sequence.keys);
  const start = row * ROWS;
  const from = key * KEYS;
  const rows = min(ROWS, sequence(frame, b, Sequence.queries) - start);
  const count = min(KEYS, keys - from);
  const first = sequence(frame, b, Sequence.queryStart) + start;
  const firstKeyRow = sequence(frame, b, Sequence.keyStart) + from;
  const last = key == at.down - 1;
  const rowTile = rowTiles + <usize>row * <usize>rowTileBytes(frame);
  if (row == at.begin) {
    if (key == 0) at.slopes = at.sink = 0;
    beginKeyTile(frame, keyTile, b, head, firstKeyRow, count);
  }
  if (key == 0) at.sink += beginRowTile(frame, rowTile, b, h, start, first, rows);
  if (!skips(frame, b, h, start, rows, from, count)) {
    const position = sequence(frame, b, Sequence.position) + start;
    at.slopes += takeTile(
      frame,
      work,
      b,
      h,
      start,
      rows,
      from,
      count,
      position,
      keys,
      rowTile,
      keyTile,
    );
  }
  if (last) finishRowTile(frame, rowTile, b, h, first, rows);
  if (row == at.end - 1) {
    finishKeyTile(frame, keyTile, b, head, firstKeyRow, count);
    if (last) storeSums(frame, at, b, h);
  }
}

/** Whether no row of the tile sees any of the keys. */
function skips(frame: usize, b: i32, h: i32, start: i32, rows: i32, from: i32, count: i32): bool {
  if (from < firstKey(frame, b, start) || from >= lastKey(frame, b, start + rows)) return true;
  if (size(frame, Slot.maskCount)) {
    if (tileIsMasked(frame, b, h, start, rows, from, count)) return true;
  }
  if (!size(frame, Slot.blockSize)) return false;
  return tileIsBlocked(frame, b, h, start, rows, from, count);
}

/** 0 in all results of an item, of which some rows may see nothing or be past their lengths. */
function clearResults(frame: usize, b: i32, head: i32): void {
  const depth = address(frame, Slot.headSize) << 2;
  const columns = address(frame, Slot.valueSize) << 2;
  const firstRow = sequence(frame, b, Sequence.queryStart);
  const first = sequence(frame, b, Sequence.keyStart);
  for (let j = 0; j < heldKeys(frame, b); j++) {
    const key = element(frame, Slot.keyGradient, Slot.keyBatch, b, head, first + j);
    memory.fill(key, 0, depth);
    const value = element(frame, Slot.valueGradient, Slot.valueBatch, b, head, first + j);
    memory.fill(value, 0, columns);
  }
  const group = groupSize(frame);
  for (let h = head * group; h < (head + 1) * group; h++) {
    for (let i = 0; i < heldRows(frame, b); i++) {
      memory.fill(
        element(frame, Slot.queryGradient, Slot.queryBatch, b, h, firstRow + i),
        0,
        depth,
      );
    }
    storeSum(frame, Slot.slopesGradient, b, h, 0);
    storeSum(frame, Slot.sinksGradient, b, h, 0);
  }
}

function storeSums(frame: usize, at: Progress, b: i32, h: i32): void {
  storeSum(frame, Slot.slopesGradient, b, h, <f32>at.slopes);
  storeSum(frame, Slot.sinksGradient, b, h, <f32>at.sink);
}

function storeSum(frame: usize, slot: i32, b: i32, h: i32, sum: f32): void {
  const index = b * size(frame, Slot.heads) + h;
  if (address(frame, slot)) store<f32>(address(frame, slot) + ((<usize>index) << 2), sum);
}
