// How a tile of T = min(KEYS, S) keys and values of 8 bits lies, sizes up to whole eights:
//
//   header         see attend/panels.ts, and 1 where it is of integers
//   s [T]          scales of keys, t [T] of values
//   −64 Σ k̂ [T]    int32, what a sum of products begins with, since queries are 64 more than they are
//   μ [D]          what was taken from each channel of the keys
//   ν [Dv], g [Dv] and from the values, and what they were divided by
//   keys           [T/8][D/u][8][u], u numbers in four bytes
//   values         [Dv/8][T/u][8][u]
//
// Before a head's tiles: f [D], 1/f [D], see balance.ts.

import { AttendFrame } from "../../attend/frame";
import { panelTileBytes, tileKeys } from "../../attend/panels";
import { byteForm, numberBytes } from "../../simd/bytes";
import { ceil8 } from "../../tiles";

const HEADER: usize = 64;

/** Magnitudes that have a scale. */
export const LARGEST: f32 = reinterpret<f32>((127 + 100) << 23);
export const SMALLEST: f32 = reinterpret<f32>((127 - 100) << 23);

/** Bytes of a float32 for each key of a tile. */
// @ts-ignore: decorator
@inline
function perKey(frame: AttendFrame): usize {
  return (<usize>ceil8(tileKeys(frame))) << 2;
}

/** And for each channel of the keys, of the values. */
// @ts-ignore: decorator
@inline
export function perChannel(frame: AttendFrame): usize {
  return (<usize>ceil8(frame.headSize)) << 2;
}

// @ts-ignore: decorator
@inline
export function perColumn(frame: AttendFrame): usize {
  return (<usize>ceil8(frame.valueSize)) << 2;
}

// @ts-ignore: decorator
@inline
export function factors(panels: usize): usize {
  return panels;
}

// @ts-ignore: decorator
@inline
export function inverses(frame: AttendFrame, panels: usize): usize {
  return panels + perChannel(frame);
}

export function balanceBytes(frame: AttendFrame): u64 {
  return (2 * <u64>perChannel(frame) + 63) & ~63;
}

// @ts-ignore: decorator
@inline
export function keyScales(tile: usize): usize {
  return tile + HEADER;
}

// @ts-ignore: decorator
@inline
export function valueScales(frame: AttendFrame, tile: usize): usize {
  return keyScales(tile) + perKey(frame);
}

// @ts-ignore: decorator
@inline
export function keySums(frame: AttendFrame, tile: usize): usize {
  return valueScales(frame, tile) + perKey(frame);
}

// @ts-ignore: decorator
@inline
export function keyMeans(frame: AttendFrame, tile: usize): usize {
  return keySums(frame, tile) + perKey(frame);
}

// @ts-ignore: decorator
@inline
export function valueMeans(frame: AttendFrame, tile: usize): usize {
  return keyMeans(frame, tile) + perChannel(frame);
}

// @ts-ignore: decorator
@inline
export function valueSpreads(frame: AttendFrame, tile: usize): usize {
  return valueMeans(frame, tile) + perColumn(frame);
}

// @ts-ignore: decorator
@inline
export function keyNumbers(frame: AttendFrame, tile: usize): usize {
  return valueSpreads(frame, tile) + perColumn(frame);
}

/** Bytes of the numbers of eight keys. */
// @ts-ignore: decorator
@inline
export function keyPanelBytes(frame: AttendFrame): usize {
  return perChannel(frame) * 2 * numberBytes(byteForm());
}

// @ts-ignore: decorator
@inline
export function valueNumbers(frame: AttendFrame, tile: usize): usize {
  const panels = (<usize>ceil8(tileKeys(frame))) >> 3;
  return keyNumbers(frame, tile) + panels * keyPanelBytes(frame);
}

/** Bytes of the numbers of eight columns. */
// @ts-ignore: decorator
@inline
export function valuePanelBytes(frame: AttendFrame): usize {
  return perKey(frame) * 2 * numberBytes(byteForm());
}

export function byteTileBytes(frame: AttendFrame): u64 {
  const floats = 3 * <u64>perKey(frame) + perChannel(frame) + 2 * <u64>perColumn(frame);
  const numbers = <u64>ceil8(frame.headSize) + ceil8(frame.valueSize);
  const keys = <u64>ceil8(tileKeys(frame));
  const bytes = HEADER + floats + keys * numbers * numberBytes(byteForm());
  return max((bytes + 63) & ~63, panelTileBytes(frame));
}
