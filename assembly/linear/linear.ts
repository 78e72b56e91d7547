// linear: y [rows × columns] = x [rows × depth] · W + bias.
//
// W is packed once, see pack.ts. x is packed LINEAR_ROWS × LINEAR_DEPTH at a time; y starts as the bias
// and takes one depth block after the other, so a row's bits depend on depth alone.

import { ADD, multiply1x32, multiply4x8, PACKED } from "../gemm/kernel";
import { packFourColumns, packRows } from "../gemm/pack";
import { LINEAR_DEPTH, LINEAR_ROWS, PART, THREAD_ITEMS } from "../tiles";
import { LinearFrame } from "./frame";

/** Bytes of the scratch; a float64, since it may be more than memory can hold. */
export function linearScratchBytes(frame: LinearFrame): f64 {
  return <f64>frame.threads * <f64>threadBytes(frame);
}

/** Bytes that each thread uses for itself: one register block of y and a packed block of x. */
// @ts-ignore: decorator
@inline
function threadBytes(frame: LinearFrame): usize {
  const depth = min(LINEAR_DEPTH, frame.depth);
  const rows = min(LINEAR_ROWS, (frame.rows + 3) & ~3);
  return (((<usize>(rows * depth)) << 2) + 128 + 63) & ~63;
}

// @ts-ignore: decorator
@inline
function rowBlocks(frame: LinearFrame, high: i32): i32 {
  return (frame.rows + high - 1) / high;
}

/** Columns of an item up to `high` rows high: some milliseconds at most, and with threads enough items for all. */
export function itemColumns(frame: LinearFrame, high: i32 = LINEAR_ROWS): i32 {
  const columns = frame.columns;
  const rows = <i64>max(min(high, frame.rows), 1);
  const most = <i32>(PART / (rows * max(frame.depth, 1)));
  const threads = frame.threads;
  const fewest = threads > 1 ? (THREAD_ITEMS * threads) / max(rowBlocks(frame, high), 1) : 1;
  const items = max((columns + most - 1) / max(most, 1), max(fewest, 1));
  return max((columns / items + 7) & ~7, 8);
}

// @ts-ignore: decorator
@inline
export function columnItems(frame: LinearFrame, high: i32 = LINEAR_ROWS): i32 {
  const columns = itemColumns(frame, high);
  return (frame.columns + columns - 1) / columns;
}

/** Items of a call: blocks of y, `high` rows high. */
export function linearItems(frame: LinearFrame, high: i32 = LINEAR_ROWS): i32 {
  return rowBlocks(frame, high) * columnItems(frame, high);
}

/** One block of y, in thread `thread`'s part of the scratch. */
export function linearRun(frame: LinearFrame, item: i32, thread: i32): void {
  const start = (item / columnItems(frame)) * LINEAR_ROWS;
  const first = (item % columnItems(frame)) * itemColumns(frame);
  const rows = min(LINEAR_ROWS, frame.rows - start);
  const depth = frame.depth;
  const columns = frame.columns;
  const last = min(first + itemColumns(frame), columns);
  const transposed = frame.inputTransposed != 0;
  const inputRow: usize = transposed ? 1 : <usize>depth;
  const inputColumn: usize = transposed ? <usize>frame.rows : 1;
  const resultRow = (<usize>columns) << 2;
  const input = frame.input + ((<usize>start * inputRow) << 2);
  const result = frame.result + <usize>start * resultRow;
  const packed = frame.packed;
  const panels = (columns + 7) >> 3;
  const edge = frame.scratch + <usize>thread * threadBytes(frame);
  const x = edge + 128;

  const bias = packed + ((<usize>(panels * depth)) << 5) + ((<usize>first) << 2);
  for (let i = 0; i < rows; i++) {
    const row = result + <usize>i * resultRow + ((<usize>first) << 2);
    memory.copy(row, bias, (<usize>(last - first)) << 2);
  }
  for (let from = 0; from < depth; from += LINEAR_DEPTH) {
    const count = min(LINEAR_DEPTH, depth - from);
    const panel = (<usize>count) << 5;
    let w = packed + ((<usize>(panels * from + (first >> 3) * count)) << 5);
    let j = first;
    if (rows == 1) {
      // Memory delivers four runs faster than one: a quarter of the columns each.
      const a = input + ((<usize>from * inputColumn) << 2);
      const quarter = (last - first) >> 5;
      for (let i = 0; i < quarter; i++) {
        const c = result + ((<usize>(first + (i << 3))) << 2);
        multiply1x32(a, inputColumn << 2, w + <usize>i * panel, quarter, count, c);
      }
      j += quarter << 5;
      w += ((<usize>quarter) << 2) * panel;
    }
    if (j >= last) continue;
    const rowPanel = (<usize>count) << 4;
    for (let i = 0; i < rows; i += 4) {
      const target = x + <usize>(i >> 2) * rowPanel;
      const source = input + ((<usize>i * inputRow + <usize>from * inputColumn) << 2);
      if (transposed) packFourColumns(source, inputColumn, rows - i, count, target);
      else packRows(source, inputRow, rows - i, count, target, 16);
    }
    for (; j < last; j += 8) {
      for (let i = 0; i < rows; i += 4) {
        const a = x + <usize>(i >> 2) * rowPanel;
        const c = result + <usize>i * resultRow + ((<usize>j) << 2);
        if (rows - i >= 4 && columns - j >= 8) {
          multiply4x8(a, w, count, c, resultRow, LINEAR_DEPTH | PACKED | ADD);
        } else {
          const height = min(rows - i, 4);
          const bytes = (<usize>min(columns - j, 8)) << 2;
          // A register block that reaches past the last row or column, by way of a block of its own.
          copyBlock(edge, 32, c, resultRow, height, bytes);
          multiply4x8(a, w, count, edge, 32, LINEAR_DEPTH | PACKED | ADD);
          copyBlock(c, resultRow, edge, 32, height, bytes);
        }
      }
      w += panel;
    }
  }
}

export function copyBlock(
  target: usize,
  targetRow: usize,
  source: usize,
  sourceRow: usize,
  rows: i32,
  bytes: usize,
): void {
  for (let i: usize = 0; i < <usize>rows; i++) {
    memory.copy(target + i * targetRow, source + i * sourceRow, bytes);
  }
}
