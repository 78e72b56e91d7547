// What a tile of keys brings to the backward pass, with T = min(KEYS, S):
//
//   keys             [⌈T/8⌉][D][8] and [⌈D/8⌉][T][8]
//   values           [⌈T/8⌉][Dv][8]
//   their gradients  [T][⌈D⌉₈] and [T][⌈Dv⌉₈], which the tiles of rows add to
//
// Keys eight columns wide are put as 0 where NaN or infinite, see rows.ts.

import { AttendFrame, keyStrides, valueStrides } from "../attend/frame";
import { ceil8, tileKeys } from "../attend/panels";
import { allFinite, dropNonFinite, packColumns, packRows8 } from "../gemm/pack";
import { addRow } from "../simd/rows";
import { rowAt } from "../strided";
import { BackwardFrame } from "./frame";

// @ts-ignore: decorator
@inline
function paddedKeys(frame: AttendFrame): usize {
  return <usize>ceil8(tileKeys(frame));
}

/** Bytes of a tile of keys. */
export function keyTileBytes(frame: AttendFrame): u64 {
  const row =
    <usize>frame.headSize +
    <usize>frame.valueSize +
    2 * <usize>ceil8(frame.headSize) +
    <usize>ceil8(frame.valueSize);
  return (<u64>paddedKeys(frame) * row * 4 + 63) & ~63;
}

// @ts-ignore: decorator
@inline
export function valueRows(frame: AttendFrame, tile: usize): usize {
  return tile + ((paddedKeys(frame) * <usize>frame.headSize) << 2);
}

// @ts-ignore: decorator
@inline
export function keyColumns(frame: AttendFrame, tile: usize): usize {
  return valueRows(frame, tile) + ((paddedKeys(frame) * <usize>frame.valueSize) << 2);
}

// @ts-ignore: decorator
@inline
export function keyGradients(frame: AttendFrame, tile: usize): usize {
  const columns = <usize>ceil8(frame.headSize);
  return keyColumns(frame, tile) + ((paddedKeys(frame) * columns) << 2);
}

// @ts-ignore: decorator
@inline
export function valueGradients(frame: AttendFrame, tile: usize): usize {
  const columns = <usize>ceil8(frame.headSize);
  return keyGradients(frame, tile) + ((paddedKeys(frame) * columns) << 2);
}

/** Packs `count` keys and values, the first in row `first` of the tensors; no gradient yet. */
export function beginKeyTile(
  frame: AttendFrame,
  tile: usize,
  b: i32,
  head: i32,
  first: i32,
  count: i32,
): void {
  const depth = frame.headSize;
  const columns = frame.valueSize;
  const key = rowAt(frame.key, keyStrides(frame), b, head, first);
  const value = rowAt(frame.value, valueStrides(frame), b, head, first);
  const keyStride = frame.keyRow;
  packAll(key, keyStride, count, depth, tile);
  packAll(value, frame.valueRow, count, columns, valueRows(frame, tile));
  let panel = keyColumns(frame, tile);
  for (let j = 0; j < depth; j += 8) {
    packColumns(key + ((<usize>j) << 2), keyStride, depth - j, count, panel);
    const numbers = (<usize>count) << 3;
    if (!allFinite(panel, numbers)) dropNonFinite(panel, numbers);
    panel += (<usize>tileKeys(frame)) << 5;
  }
  const gradients = keyGradients(frame, tile);
  const sizes = <usize>(ceil8(depth) + ceil8(columns));
  memory.fill(gradients, 0, (paddedKeys(frame) * sizes) << 2);
}

/** All keys, eight to a panel. */
function packAll(source: usize, stride: usize, count: i32, depth: i32, panel: usize): void {
  for (let j = 0; j < count; j += 8) {
    packRows8(source, stride, min(count - j, 8), depth, panel);
    source += stride << 5;
    panel += (<usize>depth) << 5;
  }
}

/** Adds the gradients to the results. */
export function finishKeyTile(
  frame: BackwardFrame,
  tile: usize,
  b: i32,
  head: i32,
  first: i32,
  count: i32,
): void {
  const depth = frame.headSize;
  const columns = frame.valueSize;
  for (let j = 0; j < count; j++) {
    const key = rowAt(frame.keyGradient, keyStrides(frame), b, head, first + j);
    addRow(key, keyGradients(frame, tile) + ((<usize>j * ceil8(depth)) << 2), depth);
    const value = rowAt(frame.valueGradient, valueStrides(frame), b, head, first + j);
    addRow(value, valueGradients(frame, tile) + ((<usize>j * ceil8(columns)) << 2), columns);
  }
}
