// One key/value head, packed once and read by every query tile of its group.
//
// panels: keys   [⌈S/8⌉][D][8]          eight keys side by side
//         values [tiles][⌈Dv/8⌉][T][8]  by tiles of T = min(KEYS, S) keys
//         finite [tiles] int32          0 where a tile's values hold NaN or Infinity

import { Sequence, Slot } from "../frame";
import { allFinite, packColumns, packRows8 } from "../gemm/pack";
import { address, element, size } from "../slots";
import { KEYS } from "../tiles";
import { sequence } from "./window";

// @ts-ignore: decorator
@inline
export function ceil8(n: i32): i32 {
  return (n + 7) & ~7;
}

/** Keys of a value tile. */
// @ts-ignore: decorator
@inline
export function tileKeys(frame: usize): i32 {
  return min(KEYS, size(frame, Slot.keys));
}

/** Number of key tiles. */
// @ts-ignore: decorator
@inline
export function keyTiles(frame: usize): i32 {
  return (size(frame, Slot.keys) + KEYS - 1) / KEYS;
}

/** Bytes between the panels of eight keys. */
// @ts-ignore: decorator
@inline
export function keyPanelBytes(frame: usize): usize {
  return address(frame, Slot.headSize) << 5;
}

/** Bytes between the panels of eight value columns. */
// @ts-ignore: decorator
@inline
export function valuePanelBytes(frame: usize): usize {
  return (<usize>tileKeys(frame)) << 5;
}

/** Bytes between the value tiles. */
// @ts-ignore: decorator
@inline
export function valueTileBytes(frame: usize): usize {
  return <usize>(ceil8(size(frame, Slot.valueSize)) >> 3) * valuePanelBytes(frame);
}

/** Where the value tiles start. */
// @ts-ignore: decorator
@inline
export function valuePanels(frame: usize, panels: usize): usize {
  return panels + <usize>keyBytes(frame);
}

/** Where the flags start. */
// @ts-ignore: decorator
@inline
export function finiteFlags(frame: usize, panels: usize): usize {
  return panels + <usize>(keyBytes(frame) + valueBytes(frame));
}

// Sums of 64 bits: what a call asks for may be more than an address can say.
// @ts-ignore: decorator
@inline
function keyBytes(frame: usize): u64 {
  return <u64>(ceil8(size(frame, Slot.keys)) >> 3) * keyPanelBytes(frame);
}

// @ts-ignore: decorator
@inline
function valueBytes(frame: usize): u64 {
  return <u64>keyTiles(frame) * valueTileBytes(frame);
}

/** Bytes of all panels of one head, a multiple of 64. */
export function panelBytes(frame: usize): u64 {
  return (keyBytes(frame) + valueBytes(frame) + ((<u64>keyTiles(frame)) << 2) + 63) & ~63;
}

/** Packs keys and values [from, to) of head `head` in batch `b`; `from` is a multiple of KEYS. */
export function packKeyValue(
  frame: usize,
  b: i32,
  head: i32,
  from: i32,
  to: i32,
  panels: usize,
): void {
  const start = sequence(frame, b, Sequence.keyStart);
  const depth = size(frame, Slot.headSize);
  const keyStride = address(frame, Slot.keyRow);
  let panel = panels + <usize>(from >> 3) * keyPanelBytes(frame);
  for (let j = from; j < to; j += 8) {
    const source = element(frame, Slot.key, Slot.keyBatch, b, head, start + j);
    packRows8(source, keyStride, min(to - j, 8), depth, panel);
    panel += keyPanelBytes(frame);
  }

  const columns = size(frame, Slot.valueSize);
  const valueStride = address(frame, Slot.valueRow);
  const first = <usize>(from / KEYS);
  let tile = valuePanels(frame, panels) + first * valueTileBytes(frame);
  let flag = finiteFlags(frame, panels) + (first << 2);
  for (let j = from; j < to; j += KEYS) {
    const rows = min(to - j, KEYS);
    const source = element(frame, Slot.value, Slot.valueBatch, b, head, start + j);
    let finite: bool = true;
    panel = tile;
    for (let column = 0; column < columns; column += 8) {
      packColumns(source + ((<usize>column) << 2), valueStride, columns - column, rows, panel);
      finite = finite && allFinite(panel, (<usize>rows) << 3);
      panel += valuePanelBytes(frame);
    }
    store<i32>(flag, finite ? 1 : 0);
    tile += valueTileBytes(frame);
    flag += 4;
  }
}
