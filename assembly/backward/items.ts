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
import { groupSize, keyValueHead } from "../attend/heads";
import { skips } from "../attend/rows";
import {
  firstKey,
  firstRow,
  lastKey,
  resultKeys,
  resultRows,
  rowAfter,
} from "../attend/visible/window";
import { clearRow } from "../simd/rows";
import { rowAt } from "../strided";
import { KEYS, PART, ROWS, tilesOf } from "../tiles";
import { BackwardFrame } from "./frame";
import { beginKeyTile, finishKeyTile, keyTileBytes } from "./keys";
import { itemBatch, itemHead } from "./order";
import { beginRowTile, finishRowTile, rowTileBytes } from "./rows";
import { differentiateTile } from "./tile";
import { layOutWork, Work, workBytes } from "./work";

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

/** Tiles that make some milliseconds. */
// @ts-ignore: decorator
@inline
function partTiles(frame: BackwardFrame): i32 {
  const numbers = 3 * <i64>frame.headSize + 2 * <i64>frame.valueSize;
  return <i32>max(PART / (ROWS * KEYS * max(numbers, 1)), 1);
}

/**
 * Some milliseconds of one item, in thread `thread`'s part of the scratch: from `step` 0, then, with
 * what the run before gave, from where that one stopped. 0 once the item is done. Doing an item
 * again changes nothing.
 */
export function backwardRun(frame: BackwardFrame, item: i32, thread: i32, step: i32): i32 {
  const w = changetype<Work>(frame.scratch + <usize>thread * <usize>threadBytes(frame));
  const b = itemBatch(frame, item);
  const head = itemHead(frame, item);
  const group = groupSize(frame);
  if (!step) {
    layOutWork(frame, w);
    clearResults(frame, b, head);
    w.b = b;
    w.h = head * group;
    enterKeyTile(frame, w, 0);
  }
  if (!w.down || !w.across) return 0;
  for (let left = partTiles(frame); w.h < (head + 1) * group; left--) {
    if (!left) return 1;
    if (w.rowTile < w.end) stepTile(frame, w);
    if (++w.rowTile < w.end) continue;
    const key = w.keyTile + 1;
    if (key == w.down) w.h++;
    enterKeyTile(frame, w, key < w.down ? key : 0);
  }
  return 0;
}

/**
 * On to tile `key` of the keys, and in it to the first tile of rows that may see it. All take part in
 * the first tile of keys, where they begin, and in the last, where they end.
 */
function enterKeyTile(frame: BackwardFrame, w: Work, key: i32): void {
  const sequence = sequenceOf(frame, w.b);
  w.across = tilesOf(sequence.queries, ROWS);
  w.down = tilesOf(sequence.keys, KEYS);
  const every = key == 0 || key == w.down - 1;
  w.keyTile = key;
  w.begin = every ? 0 : firstRow(frame, w.b, key * KEYS) / ROWS;
  w.end = every ? w.across : tilesOf(rowAfter(frame, w.b, key * KEYS + KEYS), ROWS);
  w.rowTile = w.begin;
}

/** One tile of rows by one tile of keys, and what begins and ends with them. */
function stepTile(frame: BackwardFrame, w: Work): void {
  const keyTile = changetype<usize>(w) + workBytes(frame);
  const rowTiles = keyTile + <usize>keyTileBytes(frame);
  const rowTile = rowTiles + <usize>w.rowTile * <usize>rowTileBytes(frame);
  const sequence = sequenceOf(frame, w.b);
  w.row = w.rowTile * ROWS;
  w.rows = min(ROWS, sequence.queries - w.row);
  w.position = sequence.position + w.row;
  w.first = sequence.queryStart + w.row;
  w.column = w.keyTile * KEYS;
  w.columns = min(KEYS, sequence.keys - w.column);
  const head = keyValueHead(frame, w.h);
  const firstKeyRow = sequence.keyStart + w.column;
  const last = w.keyTile == w.down - 1;
  if (w.rowTile == w.begin) {
    if (w.keyTile == 0) w.slopes = w.sink = 0;
    beginKeyTile(frame, keyTile, w.b, head, firstKeyRow, w.columns);
  }
  if (w.keyTile == 0) w.sink += beginRowTile(frame, w, rowTile);
  if (!isUnseen(frame, w)) differentiateTile(frame, w, rowTile, keyTile);
  if (last) finishRowTile(frame, w, rowTile);
  if (w.rowTile == w.end - 1) {
    finishKeyTile(frame, keyTile, w.b, head, firstKeyRow, w.columns);
    if (last) storeSums(frame, w);
  }
}

/** Whether no row of the tile sees any of the keys. */
function isUnseen(frame: BackwardFrame, w: Work): bool {
  const from = firstKey(frame, w.b, w.row);
  const to = lastKey(frame, w.b, w.row + w.rows);
  return w.column < from || w.column >= to || skips(frame, w);
}

/** 0 in all results of an item, of which some rows may see nothing or be past their lengths. */
function clearResults(frame: BackwardFrame, b: i32, head: i32): void {
  const sequence = sequenceOf(frame, b);
  for (let j = 0; j < resultKeys(frame, b); j++) {
    const row = sequence.keyStart + j;
    clearRow(rowAt(frame.keyGradient, keyStrides(frame), b, head, row), frame.headSize);
    clearRow(rowAt(frame.valueGradient, valueStrides(frame), b, head, row), frame.valueSize);
  }
  const group = groupSize(frame);
  for (let h = head * group; h < (head + 1) * group; h++) {
    for (let i = 0; i < resultRows(frame, b); i++) {
      const row = sequence.queryStart + i;
      clearRow(rowAt(frame.queryGradient, queryStrides(frame), b, h, row), frame.headSize);
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
