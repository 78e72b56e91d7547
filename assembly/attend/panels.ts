// Keys and values of one head, packed for the products in tiles of T = min(KEYS, S) keys:
//
//   finite  int32, 0 where the values hold NaN or Infinity
//   keys    [⌈T/8⌉][D][8], eight keys side by side
//   values  [⌈Dv/8⌉][T][8]

import { Sequence, Slot } from "../frame";
import { allFinite, packColumns, packRows8 } from "../gemm/pack";
import { address, element, size } from "../slots";
import { KEYS } from "../tiles";
import { sequence } from "./window";

const FLAG: usize = 64;

// @ts-ignore: decorator
@inline
export function ceil8(n: i32): i32 {
  return (n + 7) & ~7;
}

/** Keys of a value tile. */
// @ts-ignore: decorator
@inline
function tileKeys(frame: usize): i32 {
  return min(KEYS, size(frame, Slot.keys));
}

/** Bytes between the panels of eight keys. */
// @ts-ignore: decorator
@inline
function keyPanelBytes(frame: usize): usize {
  return address(frame, Slot.headSize) << 5;
}

/** Bytes between the panels of eight value columns. */
// @ts-ignore: decorator
@inline
export function valuePanelBytes(frame: usize): usize {
  return (<usize>tileKeys(frame)) << 5;
}

// @ts-ignore: decorator
@inline
function keyTileBytes(frame: usize): usize {
  return <usize>(ceil8(tileKeys(frame)) >> 3) * keyPanelBytes(frame);
}

// @ts-ignore: decorator
@inline
function valueTileBytes(frame: usize): usize {
  return <usize>(ceil8(size(frame, Slot.valueSize)) >> 3) * valuePanelBytes(frame);
}

/** Bytes of a tile: its flag with the room to the next cache line, its keys, its values. */
// @ts-ignore: decorator
@inline
function tileBytes(frame: usize): usize {
  return (FLAG + keyTileBytes(frame) + valueTileBytes(frame) + 63) & ~63;
}

// @ts-ignore: decorator
@inline
export function tileIsFinite(frame: usize, panels: usize, index: i32): bool {
  return load<i32>(panels + <usize>index * tileBytes(frame)) != 0;
}

// @ts-ignore: decorator
@inline
export function tileKeyPanels(frame: usize, panels: usize, index: i32): usize {
  return panels + <usize>index * tileBytes(frame) + FLAG;
}

// @ts-ignore: decorator
@inline
export function tileValuePanels(frame: usize, panels: usize, index: i32): usize {
  return tileKeyPanels(frame, panels, index) + keyTileBytes(frame);
}

/** Bytes of `tiles` tiles; of 64 bits, since it may be more than an address can say. */
export function panelBytes(frame: usize, tiles: i32): u64 {
  const keys = <u64>ceil8(tileKeys(frame)) * size(frame, Slot.headSize);
  const values = <u64>ceil8(size(frame, Slot.valueSize)) * tileKeys(frame);
  return <u64>tiles * ((FLAG + ((keys + values) << 2) + 63) & ~63);
}

/** Packs `count` keys and values from `from` on of head `head` in batch b as tile `index`. */
export function packTile(
  frame: usize,
  b: i32,
  head: i32,
  from: i32,
  count: i32,
  panels: usize,
  index: i32,
): void {
  const row = sequence(frame, b, Sequence.keyStart) + from;
  const depth = size(frame, Slot.headSize);
  const keyStride = address(frame, Slot.keyRow);
  let panel = tileKeyPanels(frame, panels, index);
  for (let j = 0; j < count; j += 8) {
    const source = element(frame, Slot.key, Slot.keyBatch, b, head, row + j);
    packRows8(source, keyStride, min(count - j, 8), depth, panel);
    panel += keyPanelBytes(frame);
  }

  const columns = size(frame, Slot.valueSize);
  const valueStride = address(frame, Slot.valueRow);
  const source = element(frame, Slot.value, Slot.valueBatch, b, head, row);
  let finite: bool = true;
  panel = tileValuePanels(frame, panels, index);
  for (let column = 0; column < columns; column += 8) {
    packColumns(source + ((<usize>column) << 2), valueStride, columns - column, count, panel);
    finite = finite && allFinite(panel, (<usize>count) << 3);
    panel += valuePanelBytes(frame);
  }
  store<i32>(panels + <usize>index * tileBytes(frame), finite ? 1 : 0);
}
