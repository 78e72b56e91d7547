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
import { KEYS, PART, ROWS } from "../tiles";
import { beginKeyTile, finishKeyTile, keyTileBytes } from "./backward/keys";
import { beginRowTile, finishRowTile, rowTileBytes } from "./backward/rows";
import { takeTile, workBytes } from "./backward/tile";
import { tileIsBlocked } from "./blocks";
import { allHeads, groupSize } from "./heads";
import { tileIsMasked } from "./mask";
import { firstKey, heldKeys, heldRows, lastKey, sequence } from "./window";

/** What one query head has gathered, at the foot of a thread's scratch. */
@unmanaged
class Sums {
  slopes: f64 = 0;
  sink: f64 = 0;
}

const HEAD: usize = 64;

// @ts-ignore: decorator
@inline
function tilesOf(rows: i32, tile: i32): i32 {
  return (rows + tile - 1) / tile;
}

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

/** Items of a call: one for each key and value head of each batch. */
export function backwardItems(frame: usize): i32 {
  return allHeads(frame);
}

/** Tiles that make some milliseconds. */
// @ts-ignore: decorator
@inline
function partTiles(frame: usize): i32 {
  const numbers = 3 * <i64>size(frame, Slot.headSize) + 2 * <i64>size(frame, Slot.valueSize);
  return <i32>max(PART / (ROWS * KEYS * max(numbers, 1)), 1);
}

/**
 * Some milliseconds of one item, in thread `thread`'s part of the scratch: from step 0, then from the
 * step the call before came to. 0 once the item is done. Doing an item again changes nothing.
 */
export function backwardItem(frame: usize, item: i32, thread: i32, step: i32): i32 {
  const own = address(frame, Slot.scratch) + <usize>thread * <usize>threadBytes(frame);
  const work = own + HEAD;
  const keyTile = work + ((<usize>workBytes(frame) + 63) & ~63);
  const rowTiles = keyTile + <usize>keyTileBytes(frame);
  const sums = changetype<Sums>(own);
  const b = item / size(frame, Slot.keyValueHeads);
  const head = item % size(frame, Slot.keyValueHeads);
  const queries = sequence(frame, b, Sequence.queries);
  const keys = sequence(frame, b, Sequence.keys);
  const firstRow = sequence(frame, b, Sequence.queryStart);
  const firstKeyRow = sequence(frame, b, Sequence.keyStart);
  if (!step) clearResults(frame, b, head);

  const across = tilesOf(queries, ROWS);
  const down = tilesOf(keys, KEYS);
  const total = groupSize(frame) * down * across;
  const stop = min(step + partTiles(frame), total);
  for (; step < stop; step++) {
    const h = head * groupSize(frame) + step / (down * across);
    const key = (step / across) % down;
    const row = step % across;
    const start = row * ROWS;
    const from = key * KEYS;
    const rows = min(ROWS, queries - start);
    const count = min(KEYS, keys - from);
    const rowTile = rowTiles + <usize>row * <usize>rowTileBytes(frame);
    if (row == 0) {
      if (key == 0) sums.slopes = sums.sink = 0;
      beginKeyTile(frame, keyTile, b, head, firstKeyRow + from, count);
    }
    if (key == 0) sums.sink += beginRowTile(frame, rowTile, b, h, start, firstRow + start, rows);
    if (!skips(frame, b, h, start, rows, from, count)) {
      const position = sequence(frame, b, Sequence.position) + start;
      sums.slopes += takeTile(
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
    if (key == down - 1) finishRowTile(frame, rowTile, b, h, firstRow + start, rows);
    if (row == across - 1) {
      finishKeyTile(frame, keyTile, b, head, firstKeyRow + from, count);
      if (key == down - 1) storeSums(frame, sums, b, h);
    }
  }
  return step < total ? step : 0;
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

function storeSums(frame: usize, sums: Sums, b: i32, h: i32): void {
  storeSum(frame, Slot.slopesGradient, b, h, <f32>sums.slopes);
  storeSum(frame, Slot.sinksGradient, b, h, <f32>sums.sink);
}

function storeSum(frame: usize, slot: i32, b: i32, h: i32, sum: f32): void {
  const index = b * size(frame, Slot.heads) + h;
  if (address(frame, slot)) store<f32>(address(frame, slot) + ((<usize>index) << 2), sum);
}
