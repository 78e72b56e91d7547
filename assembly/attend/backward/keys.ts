// What a tile of keys brings to the backward pass, with T = min(KEYS, S):
//
//   keys             [⌈T/8⌉][D][8] and [⌈D/8⌉][T][8]
//   values           [⌈T/8⌉][Dv][8]
//   their gradients  [T][⌈D⌉₈] and [T][⌈Dv⌉₈], which the tiles of rows add to
//
// Keys eight columns wide are put as 0 where NaN or infinite, see rows.ts.

import { Slot } from "../../frame";
import { allFinite, dropNonFinite, packColumns, packRows8 } from "../../gemm/pack";
import { address, element, size } from "../../slots";
import { KEYS } from "../../tiles";
import { ceil8 } from "../panels";

/** Keys of a tile. */
// @ts-ignore: decorator
@inline
export function tileKeys(frame: usize): i32 {
  return min(KEYS, size(frame, Slot.keys));
}

// @ts-ignore: decorator
@inline
function room(frame: usize): usize {
  return <usize>ceil8(tileKeys(frame));
}

/** Bytes of a tile of keys. */
export function keyTileBytes(frame: usize): u64 {
  const row =
    address(frame, Slot.headSize) +
    address(frame, Slot.valueSize) +
    2 * <usize>ceil8(size(frame, Slot.headSize)) +
    <usize>ceil8(size(frame, Slot.valueSize));
  return (<u64>room(frame) * row * 4 + 63) & ~63;
}

// @ts-ignore: decorator
@inline
export function valueRows(frame: usize, tile: usize): usize {
  return tile + ((room(frame) * address(frame, Slot.headSize)) << 2);
}

// @ts-ignore: decorator
@inline
export function keyColumns(frame: usize, tile: usize): usize {
  return valueRows(frame, tile) + ((room(frame) * address(frame, Slot.valueSize)) << 2);
}

// @ts-ignore: decorator
@inline
export function keyGradients(frame: usize, tile: usize): usize {
  const columns = <usize>ceil8(size(frame, Slot.headSize));
  return keyColumns(frame, tile) + ((room(frame) * columns) << 2);
}

// @ts-ignore: decorator
@inline
export function valueGradients(frame: usize, tile: usize): usize {
  const columns = <usize>ceil8(size(frame, Slot.headSize));
  return keyGradients(frame, tile) + ((room(frame) * columns) << 2);
}

/** Packs `count` keys and values, the first in row `first` of the tensors; no gradient yet. */
export function beginKeyTile(
  frame: usize,
  tile: usize,
  b: i32,
  head: i32,
  first: i32,
  count: i32,
): void {
  const depth = size(frame, Slot.headSize);
  const columns = size(frame, Slot.valueSize);
  const key = element(frame, Slot.key, Slot.keyBatch, b, head, first);
  const value = element(frame, Slot.value, Slot.valueBatch, b, head, first);
  const keyStride = address(frame, Slot.keyRow);
  packAll(key, keyStride, count, depth, tile);
  packAll(value, address(frame, Slot.valueRow), count, columns, valueRows(frame, tile));
  let panel = keyColumns(frame, tile);
  for (let j = 0; j < depth; j += 8) {
    packColumns(key + ((<usize>j) << 2), keyStride, depth - j, count, panel);
    const numbers = (<usize>count) << 3;
    if (!allFinite(panel, numbers)) dropNonFinite(panel, numbers);
    panel += (<usize>tileKeys(frame)) << 5;
  }
  const gradients = keyGradients(frame, tile);
  const sizes = <usize>(ceil8(depth) + ceil8(columns));
  memory.fill(gradients, 0, (room(frame) * sizes) << 2);
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
  frame: usize,
  tile: usize,
  b: i32,
  head: i32,
  first: i32,
  count: i32,
): void {
  const depth = size(frame, Slot.headSize);
  const columns = size(frame, Slot.valueSize);
  for (let j = 0; j < count; j++) {
    const key = element(frame, Slot.keyGradient, Slot.keyBatch, b, head, first + j);
    addRow(keyGradients(frame, tile) + ((<usize>j * ceil8(depth)) << 2), key, depth);
    const value = element(frame, Slot.valueGradient, Slot.valueBatch, b, head, first + j);
    addRow(valueGradients(frame, tile) + ((<usize>j * ceil8(columns)) << 2), value, columns);
  }
}

function addRow(source: usize, target: usize, count: i32): void {
  for (let j: usize = 0; j < (<usize>count) << 2; j += 4) {
    store<f32>(target + j, load<f32>(target + j) + load<f32>(source + j));
  }
}
