// linear: y [rows × columns] = x [rows × depth] · W + bias.
//
// W is packed once as [⌈columns/8⌉][depth][8], followed by the bias padded to eight. x is packed
// LINEAR_ROWS × LINEAR_DEPTH at a time; y starts as the bias and takes one depth block
// after the other, so a row's bits depend on depth alone.

import { Slot } from "./frame";
import { multiply1x32, multiply4x8 } from "./gemm/kernel";
import { packColumns, packFourColumns, packRows, packRows8 } from "./gemm/pack";
import { address, size } from "./slots";
import { LINEAR_DEPTH, LINEAR_ROWS, PART, THREAD_ITEMS } from "./tiles";

/** Bytes of Slot.packed; a float64, since it may be more than memory can hold. */
export function packedLinearBytes(frame: usize): f64 {
  return <f64>((size(frame, Slot.columns) + 7) >> 3) * (<f64>size(frame, Slot.depth) + 1) * 32;
}

/** Packs a weight and its bias into Slot.packed. */
export function packLinear(frame: usize): void {
  const weight = address(frame, Slot.weight);
  const bias = address(frame, Slot.bias);
  const depth = size(frame, Slot.depth);
  const columns = size(frame, Slot.columns);
  const outputIsRow = size(frame, Slot.outputIsRow);
  let packed = address(frame, Slot.packed);
  const panel = (<usize>depth) << 5;
  for (let j = 0; j < columns; j += 8) {
    if (outputIsRow) {
      packRows8(weight + ((<usize>j * depth) << 2), depth, min(columns - j, 8), depth, packed);
    } else {
      packColumns(weight + ((<usize>j) << 2), columns, columns - j, depth, packed);
    }
    packed += panel;
  }
  memory.fill(packed, 0, (<usize>((columns + 7) >> 3)) << 5);
  if (bias) memory.copy(packed, bias, (<usize>columns) << 2);
}

/** Writes the packed W of Slot.packed to Slot.result as a packed Wᵀ [columns × depth], without a bias. */
export function turnPacked(frame: usize): void {
  const depth = size(frame, Slot.depth);
  const columns = size(frame, Slot.columns);
  const packed = address(frame, Slot.packed);
  let result = address(frame, Slot.result);
  for (let i = 0; i < depth; i += 8) {
    let source = packed + ((<usize>i) << 5);
    for (let j = 0; j < columns; j += 8) {
      const count = min(columns - j, 8);
      packRows8(source, 8, min(depth - i, 8), count, result);
      source += (<usize>depth) << 5;
      result += (<usize>count) << 5;
    }
  }
  memory.fill(result, 0, (<usize>((depth + 7) >> 3)) << 5);
}

/** result [columns] = Σ over the rows of input [rows × columns], LINEAR_ROWS of them at a time. */
export function sumRows(frame: usize): void {
  const rows = size(frame, Slot.rows);
  const bytes = address(frame, Slot.columns) << 2;
  const input = address(frame, Slot.input);
  const result = address(frame, Slot.result);
  memory.fill(result, 0, bytes);
  for (let from = 0; from < rows; from += LINEAR_ROWS) {
    const first = input + <usize>from * bytes;
    const count = min(LINEAR_ROWS, rows - from);
    let j: usize = 0;
    for (; j + 16 <= bytes; j += 16) {
      let sum = f32x4.splat(0);
      let at = first + j;
      for (let i = 0; i < count; i++, at += bytes) sum = f32x4.add(sum, v128.load(at));
      v128.store(result + j, f32x4.add(v128.load(result + j), sum));
    }
    for (; j < bytes; j += 4) {
      let sum: f32 = 0;
      let at = first + j;
      for (let i = 0; i < count; i++, at += bytes) sum += load<f32>(at);
      store<f32>(result + j, load<f32>(result + j) + sum);
    }
  }
}

/** Bytes of Slot.scratch; a float64, since it may be more than memory can hold. */
export function linearScratchBytes(frame: usize): f64 {
  return <f64>size(frame, Slot.threads) * <f64>threadBytes(frame);
}

/** Bytes that each thread uses for itself: one register block of y and a packed block of x. */
// @ts-ignore: decorator
@inline
function threadBytes(frame: usize): usize {
  const depth = min(LINEAR_DEPTH, size(frame, Slot.depth));
  const rows = min(LINEAR_ROWS, (size(frame, Slot.rows) + 3) & ~3);
  return (((<usize>(rows * depth)) << 2) + 128 + 63) & ~63;
}

// @ts-ignore: decorator
@inline
function rowBlocks(frame: usize): i32 {
  return (size(frame, Slot.rows) + LINEAR_ROWS - 1) / LINEAR_ROWS;
}

/** Columns of an item: some milliseconds at most, and with threads enough items for all. */
function itemColumns(frame: usize): i32 {
  const columns = size(frame, Slot.columns);
  const most = <i32>(PART / (<i64>LINEAR_ROWS * max(size(frame, Slot.depth), 1)));
  const threads = size(frame, Slot.threads);
  const fewest = threads > 1 ? (THREAD_ITEMS * threads) / max(rowBlocks(frame), 1) : 1;
  const items = max((columns + most - 1) / max(most, 1), max(fewest, 1));
  return max((columns / items + 7) & ~7, 8);
}

// @ts-ignore: decorator
@inline
function columnItems(frame: usize): i32 {
  const columns = itemColumns(frame);
  return (size(frame, Slot.columns) + columns - 1) / columns;
}

/** Items of a call: blocks of y, LINEAR_ROWS high. */
export function linearItems(frame: usize): i32 {
  return rowBlocks(frame) * columnItems(frame);
}

/** One block of y, in thread `thread`'s part of the scratch. */
export function linearItem(frame: usize, item: i32, thread: i32): void {
  const start = (item / columnItems(frame)) * LINEAR_ROWS;
  const first = (item % columnItems(frame)) * itemColumns(frame);
  const rows = min(LINEAR_ROWS, size(frame, Slot.rows) - start);
  const depth = size(frame, Slot.depth);
  const columns = size(frame, Slot.columns);
  const last = min(first + itemColumns(frame), columns);
  const turned = size(frame, Slot.inputTurned) != 0;
  const inputRow: usize = turned ? 1 : <usize>depth;
  const inputColumn: usize = turned ? address(frame, Slot.rows) : 1;
  const resultRow = (<usize>columns) << 2;
  const input = address(frame, Slot.input) + ((<usize>start * inputRow) << 2);
  const result = address(frame, Slot.result) + <usize>start * resultRow;
  const packed = address(frame, Slot.packed);
  const panel = (<usize>depth) << 5;
  const edge = address(frame, Slot.scratch) + <usize>thread * threadBytes(frame);
  const x = edge + 128;

  const bias = packed + <usize>((columns + 7) >> 3) * panel + ((<usize>first) << 2);
  for (let i = 0; i < rows; i++) {
    const row = result + <usize>i * resultRow + ((<usize>first) << 2);
    memory.copy(row, bias, (<usize>(last - first)) << 2);
  }
  for (let from = 0; from < depth; from += LINEAR_DEPTH) {
    const count = min(LINEAR_DEPTH, depth - from);
    const rowPanel = (<usize>count) << 4;
    for (let i = 0; i < rows; i += 4) {
      const panel = x + <usize>(i >> 2) * rowPanel;
      const source = input + ((<usize>i * inputRow + <usize>from * inputColumn) << 2);
      if (turned) packFourColumns(source, inputColumn, rows - i, count, panel);
      else packRows(source, inputRow, rows - i, count, panel, 16);
    }
    let w = packed + <usize>(first >> 3) * panel + ((<usize>from) << 5);
    let j = first;
    for (; rows == 1 && j + 32 <= last; j += 32) {
      multiply1x32(x, w, panel, count, result + ((<usize>j) << 2));
      w += panel << 2;
    }
    for (; j < last; j += 8) {
      for (let i = 0; i < rows; i += 4) {
        const a = x + <usize>(i >> 2) * rowPanel;
        const c = result + <usize>i * resultRow + ((<usize>j) << 2);
        if (rows - i >= 4 && columns - j >= 8) {
          multiply4x8(a, true, w, count, LINEAR_DEPTH, c, resultRow, true);
        } else {
          multiplyEdge(a, w, count, c, resultRow, min(rows - i, 4), min(columns - j, 8), edge);
        }
      }
      w += panel;
    }
  }
}

/** A register block that reaches past the last row or column, by way of a block of its own. */
function multiplyEdge(
  a: usize,
  w: usize,
  count: i32,
  c: usize,
  row: usize,
  rows: i32,
  columns: i32,
  edge: usize,
): void {
  const bytes = (<usize>columns) << 2;
  for (let i: usize = 0; i < <usize>rows; i++) memory.copy(edge + (i << 5), c + i * row, bytes);
  multiply4x8(a, true, w, count, LINEAR_DEPTH, edge, 32, true);
  for (let i: usize = 0; i < <usize>rows; i++) memory.copy(c + i * row, edge + (i << 5), bytes);
}
