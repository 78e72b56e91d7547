// Gradients of output = softmax(scores(Q·Kᵀ)) · V, from those of the output and from logSumExp
// (Dao 2023, "FlashAttention-2", algorithm 2): the weights are made anew, tile by tile.
//
// For each query head, for each tile of keys, the tiles of rows stream by: see tile.ts. A
// tile of keys gathers its gradients beside it, and adds them to the results at its end, so
// that the heads of a group come one after the other; query gradients stay beside their packed rows
// until the last tile of keys. Every sum runs in an order that shapes alone decide.
//
// An item is all heads that read one key and value head of one batch. Memory is one query head's
// rows, packed, for each thread. Tensors as in attend/items.ts, gradients by the strides of their tensors.

import { keyStrides, queryStrides, sequenceOf, valueStrides } from "../attend/frame";
import { allHeads, groupSize } from "../attend/heads";
import { skips } from "../attend/rows";
import { firstKey, lastKey, resultKeys, resultRows } from "../attend/visible/window";
import { rowAt } from "../strided";
import { KEYS, PART, ROWS } from "../tiles";
import { BackwardFrame } from "./frame";
import { beginKeyTile, finishKeyTile, keyTileBytes } from "./keys";
import { beginRowTile, finishRowTile, rowTileBytes } from "./rows";
import { differentiateTile } from "./tile";
import { placeWork, Work, workBytes } from "./work";

// @ts-ignore: decorator
@inline
function tilesOf(rows: i32, tile: i32): i32 {
  return (rows + tile - 1) / tile;
}

/** Bytes that each thread uses for itself. */
// @ts-ignore: decorator
@inline
function threadBytes(frame: BackwardFrame): u64 {
  const tiles = <u64>tilesOf(frame.queries, ROWS);
  return workBytes(frame) + keyTileBytes(frame) + tiles * rowTileBytes(frame);
}

/** Bytes of the scratch; a float64, since it may be more than linear memory can hold. */
export function backwardScratchBytes(frame: BackwardFrame): f64 {
  return <f64>frame.threads * <f64>threadBytes(frame);
}

/** Items of a call: one for each key and value head of each batch. */
export function backwardItems(frame: BackwardFrame): i32 {
  return allHeads(frame);
}

/** Tiles that make some milliseconds. */
// @ts-ignore: decorator
@inline
function partTiles(frame: BackwardFrame): i32 {
  const numbers = 3 * <i64>frame.headSize + 2 * <i64>frame.valueSize;
  return <i32>max(PART / (ROWS * KEYS * max(numbers, 1)), 1);
}

/**
 * Some milliseconds of one item, in thread `thread`'s part of the scratch: from step 0, then from the
 * step the call before came to. 0 once the item is done. Doing an item again changes nothing.
 */
export function backwardRun(frame: BackwardFrame, item: i32, thread: i32, step: i32): i32 {
  const w = changetype<Work>(frame.scratch + <usize>thread * <usize>threadBytes(frame));
  const keyTile = changetype<usize>(w) + workBytes(frame);
  const rowTiles = keyTile + <usize>keyTileBytes(frame);
  const b = item / frame.keyValueHeads;
  const head = item % frame.keyValueHeads;
  const sequence = sequenceOf(frame, b);
  if (!step) {
    placeWork(frame, w);
    clearResults(frame, b, head);
  }
  w.b = b;

  const across = tilesOf(sequence.queries, ROWS);
  const down = tilesOf(sequence.keys, KEYS);
  const total = groupSize(frame) * down * across;
  const stop = min(step + partTiles(frame), total);
  for (; step < stop; step++) {
    const key = (step / across) % down;
    const row = step % across;
    w.h = head * groupSize(frame) + step / (down * across);
    w.row = row * ROWS;
    w.rows = min(ROWS, sequence.queries - w.row);
    w.position = sequence.position + w.row;
    w.first = sequence.queryStart + w.row;
    w.column = key * KEYS;
    w.columns = min(KEYS, sequence.keys - w.column);
    const firstKeyRow = sequence.keyStart + w.column;
    const rowTile = rowTiles + <usize>row * <usize>rowTileBytes(frame);
    if (row == 0) {
      if (key == 0) w.slopes = w.sink = 0;
      beginKeyTile(frame, keyTile, b, head, firstKeyRow, w.columns);
    }
    if (key == 0) w.sink += beginRowTile(frame, w, rowTile);
    if (!isUnseen(frame, w)) differentiateTile(frame, w, rowTile, keyTile);
    if (key == down - 1) finishRowTile(frame, w, rowTile);
    if (row == across - 1) {
      finishKeyTile(frame, keyTile, b, head, firstKeyRow, w.columns);
      if (key == down - 1) storeSums(frame, w);
    }
  }
  return step < total ? step : 0;
}

/** Whether no row of the tile sees any of the keys. */
function isUnseen(frame: BackwardFrame, w: Work): bool {
  const from = firstKey(frame, w.b, w.row);
  const to = lastKey(frame, w.b, w.row + w.rows);
  return w.column < from || w.column >= to || skips(frame, w);
}

/** 0 in all results of an item, of which some rows may see nothing or be past their lengths. */
function clearResults(frame: BackwardFrame, b: i32, head: i32): void {
  const depth = (<usize>frame.headSize) << 2;
  const columns = (<usize>frame.valueSize) << 2;
  const sequence = sequenceOf(frame, b);
  for (let j = 0; j < resultKeys(frame, b); j++) {
    const row = sequence.keyStart + j;
    memory.fill(rowAt(frame.keyGradient, keyStrides(frame), b, head, row), 0, depth);
    memory.fill(rowAt(frame.valueGradient, valueStrides(frame), b, head, row), 0, columns);
  }
  const group = groupSize(frame);
  for (let h = head * group; h < (head + 1) * group; h++) {
    for (let i = 0; i < resultRows(frame, b); i++) {
      const row = sequence.queryStart + i;
      memory.fill(rowAt(frame.queryGradient, queryStrides(frame), b, h, row), 0, depth);
    }
    storeSum(frame.slopesGradient, b * frame.heads + h, 0);
    storeSum(frame.sinksGradient, b * frame.heads + h, 0);
  }
}

function storeSums(frame: BackwardFrame, w: Work): void {
  storeSum(frame.slopesGradient, w.b * frame.heads + w.h, <f32>w.slopes);
  storeSum(frame.sinksGradient, w.b * frame.heads + w.h, <f32>w.sink);
}

function storeSum(sums: usize, index: i32, sum: f32): void {
  if (sums) store<f32>(sums + ((<usize>index) << 2), sum);
}
