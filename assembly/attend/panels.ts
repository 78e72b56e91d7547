// Keys and values of one head, packed for the products in tiles of T = min(KEYS, S) keys:
//
//   finite  int32, 0 where the values hold NaN or Infinity
//   keys    [⌈T/8⌉][D][8], eight keys side by side
//   values  [⌈Dv/8⌉][T][8]

import { allFinite, packColumns, packRows8 } from "../gemm/pack";
import { ceil8, KEYS } from "../tiles";
import { AttendFrame } from "./frame";
import { keysAt, valuesAt } from "./located";

const FLAG_BYTES: usize = 64;

/** Keys of a tile. */
// @ts-ignore: decorator
@inline
export function tileKeys(frame: AttendFrame): i32 {
  return min(KEYS, frame.keys);
}

/** Bytes between the panels of eight keys. */
// @ts-ignore: decorator
@inline
function keyPanelBytes(frame: AttendFrame): usize {
  return (<usize>frame.headSize) << 5;
}

// @ts-ignore: decorator
@inline
function keyTileBytes(frame: AttendFrame): usize {
  return <usize>(ceil8(tileKeys(frame)) >> 3) * keyPanelBytes(frame);
}

/**
 * Bytes of a tile: its flag with the gap to the next cache line, its keys, its values. Of 64 bits, since
 * it may be more than an address can say.
 */
export function panelTileBytes(frame: AttendFrame): u64 {
  const keys = <u64>ceil8(tileKeys(frame)) * frame.headSize;
  const values = <u64>ceil8(frame.valueSize) * tileKeys(frame);
  return (FLAG_BYTES + ((keys + values) << 2) + 63) & ~63;
}

// @ts-ignore: decorator
@inline
export function tileIsFinite(tile: usize): bool {
  return load<i32>(tile) != 0;
}

// @ts-ignore: decorator
@inline
export function tileKeyPanels(tile: usize): usize {
  return tile + FLAG_BYTES;
}

// @ts-ignore: decorator
@inline
export function tileValuePanels(frame: AttendFrame, tile: usize): usize {
  return tileKeyPanels(tile) + keyTileBytes(frame);
}

/** Packs `count` keys and values from `from` on of key and value head `index` of all batches. */
export function packTile(
  frame: AttendFrame,
  index: i32,
  from: i32,
  count: i32,
  tile: usize,
  gathered: usize,
): void {
  let panel = tileKeyPanels(tile);
  let keys = keysAt(frame, index, from, count, gathered);
  for (let j = 0; j < count; j += 8) {
    packRows8(keys, frame.keyRow, min(count - j, 8), frame.headSize, panel);
    panel += keyPanelBytes(frame);
    keys += frame.keyRow << 5;
  }
  const source = valuesAt(frame, index, from, count, gathered);
  let finite: bool = true;
  panel = tileValuePanels(frame, tile);
  for (let column = 0; column < frame.valueSize; column += 8) {
    const values = source + ((<usize>column) << 2);
    packColumns(values, frame.valueRow, frame.valueSize - column, count, panel);
    finite = finite && allFinite(panel, (<usize>count) << 3);
    panel += (<usize>tileKeys(frame)) << 5;
  }
  store<i32>(tile, finite ? 1 : 0);
}
