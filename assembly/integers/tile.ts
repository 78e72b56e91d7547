// A tile of T = min(KEYS, S) keys and values in integers of 16 bits:
//
//   k̂_j = nearest(k_j / s_j),  s_j = max(‖k_j‖ / NORM, max |k_j| / 32767)      ‖q̂‖·‖k̂‖ < 2³¹: no sum overflows
//   v̂_j = nearest(v_j / t_j),  t_j = max |v_j| / VALUE                         a scale a token, for sinks
//
// Behind the header of attend/panels.ts: 1 where it is of integers, s [T], t [T], keys [T/8][D/2][8][2],
// values [Dv/8][T/2][8][2], sizes up to whole ones. A tile with NaN, infinity or numbers too large or small
// for a scale is packed in float32 instead.

import { AttendFrame } from "../attend/frame";
import { keysAt, valuesAt } from "../attend/located";
import { largerMagnitude, largestOfFour, magnitudeMask } from "../simd/magnitude";
import { packTile, panelTileBytes, tileKeys } from "../attend/panels";
import { ceil8 } from "../tiles";

/** ‖x̂‖ before rounding, which adds √D / 2: with D up to 4096 the square stays below 2³¹. */
const NORM: f64 = 46300;
const MOST: f32 = 32767;
/** Of v̂: weights of 16 bits times it are summed, see rows.ts. */
export const VALUE: f32 = 8191;
/** Magnitudes that have a scale. */
const LARGEST: f32 = reinterpret<f32>((127 + 100) << 23);
const SMALLEST_ROW: f32 = reinterpret<f32>((127 - 100) << 23);
const SMALLEST_VALUE: f32 = reinterpret<f32>((127 - 60) << 23);

const HEADER: usize = 64;

/** Keys of a panel's tile. */
// @ts-ignore: decorator
@inline
function keysOfTile(frame: AttendFrame): usize {
  return <usize>ceil8(tileKeys(frame));
}

/** Numbers of a row of queries and keys, a whole number of eights. */
// @ts-ignore: decorator
@inline
export function rowNumbers(frame: AttendFrame): usize {
  return <usize>ceil8(frame.headSize);
}

// @ts-ignore: decorator
@inline
export function isOfIntegers(tile: usize): bool {
  return load<i32>(tile, 4) != 0;
}

// @ts-ignore: decorator
@inline
export function keyScales(tile: usize): usize {
  return tile + HEADER;
}

// @ts-ignore: decorator
@inline
export function valueScales(frame: AttendFrame, tile: usize): usize {
  return keyScales(tile) + (keysOfTile(frame) << 2);
}

// @ts-ignore: decorator
@inline
export function keyNumbers(frame: AttendFrame, tile: usize): usize {
  return valueScales(frame, tile) + (keysOfTile(frame) << 2);
}

// @ts-ignore: decorator
@inline
export function valueNumbers(frame: AttendFrame, tile: usize): usize {
  return keyNumbers(frame, tile) + keysOfTile(frame) * (rowNumbers(frame) << 1);
}

/** Bytes of a panel of eight values. */
// @ts-ignore: decorator
@inline
export function valuePanelBytes(frame: AttendFrame): usize {
  return keysOfTile(frame) << 4;
}

export function integerTileBytes(frame: AttendFrame): u64 {
  const numbers = <u64>rowNumbers(frame) + <u64>ceil8(frame.valueSize);
  const bytes = HEADER + <u64>keysOfTile(frame) * (8 + (numbers << 1));
  return max((bytes + 63) & ~63, panelTileBytes(frame));
}

/** As packTile of attend/panels.ts. */
export function packIntegers(
  frame: AttendFrame,
  index: i32,
  from: i32,
  count: i32,
  tile: usize,
  gathered: usize,
): void {
  const keys = keysAt(frame, index, from, count, gathered);
  const values = valuesAt(frame, index, from, count, gathered);
  if (packKeys(frame, keys, count, tile) && packValues(frame, values, count, tile)) {
    store<i32>(tile, 1, 4);
    return;
  }
  packTile(frame, index, from, count, tile, gathered);
  store<i32>(tile, 0, 4);
}

/** False where a key has no scale. */
function packKeys(frame: AttendFrame, keys: usize, count: i32, tile: usize): bool {
  const size = frame.headSize;
  const step = rowNumbers(frame) << 4;
  const numbers = keyNumbers(frame, tile);
  memory.fill(numbers, 0, <usize>(ceil8(count) >> 3) * step);
  memory.fill(keyScales(tile), 0, keysOfTile(frame) << 2);
  for (let j = 0; j < count; j++) {
    const scale = scaleOf(keys, size);
    if (!(scale >= 0)) return false;
    store<f32>(keyScales(tile) + ((<usize>j) << 2), scale);
    const inverse = f32x4.splat(scale ? <f32>1 / scale : 0);
    let target = numbers + <usize>(j >> 3) * step + ((<usize>(j & 7)) << 2);
    let d = 0;
    for (; d + 8 <= size; d += 8) {
      const q = rounded(keys + ((<usize>d) << 2), inverse);
      v128.store32_lane(target, q, 0);
      v128.store32_lane(target, q, 1, 32);
      v128.store32_lane(target, q, 2, 64);
      v128.store32_lane(target, q, 3, 96);
      target += 128;
    }
    for (; d < size; d++) {
      const q = nearest(load<f32>(keys + ((<usize>d) << 2)) * f32x4.extract_lane(inverse, 0));
      store<i16>(target + ((<usize>(d & 1)) << 1), <i16>q);
      if (d & 1) target += 32;
    }
    keys += frame.keyRow << 2;
  }
  return true;
}

/** Of a row; NaN where it has none. */
function scaleOf(row: usize, size: i32): f32 {
  let low = f64x2.splat(0);
  let high = f64x2.splat(0);
  const mask = magnitudeMask();
  let most = f32x4.splat(0);
  let d = 0;
  for (; d + 4 <= size; d += 4) {
    const x = v128.load(row + ((<usize>d) << 2));
    most = largerMagnitude(most, x, mask);
    const a = f64x2.promote_low_f32x4(x);
    const b = f64x2.promote_low_f32x4(v128.shuffle<f32>(x, x, 2, 3, 0, 1));
    low = f64x2.add(low, f64x2.mul(a, a));
    high = f64x2.add(high, f64x2.mul(b, b));
  }
  const sums = f64x2.add(low, high);
  let sum = f64x2.extract_lane(sums, 0) + f64x2.extract_lane(sums, 1);
  let largest = largestOfFour(most);
  for (; d < size; d++) {
    const x = load<f32>(row + ((<usize>d) << 2));
    largest = max(largest, abs(x));
    sum += <f64>x * <f64>x;
  }
  return scaleFor(largest, sum);
}

/** The same of four rows side by side, [size][4]. */
export function scalesOfFour(panel: usize, size: i32, target: usize): void {
  let low = f64x2.splat(0);
  let high = f64x2.splat(0);
  const mask = magnitudeMask();
  let most = f32x4.splat(0);
  for (let d = 0; d < size; d++, panel += 16) {
    const x = v128.load(panel);
    most = largerMagnitude(most, x, mask);
    const a = f64x2.promote_low_f32x4(x);
    const b = f64x2.promote_low_f32x4(v128.shuffle<f32>(x, x, 2, 3, 0, 1));
    low = f64x2.add(low, f64x2.mul(a, a));
    high = f64x2.add(high, f64x2.mul(b, b));
  }
  store<f32>(target, scaleFor(f32x4.extract_lane(most, 0), f64x2.extract_lane(low, 0)));
  store<f32>(target, scaleFor(f32x4.extract_lane(most, 1), f64x2.extract_lane(low, 1)), 4);
  store<f32>(target, scaleFor(f32x4.extract_lane(most, 2), f64x2.extract_lane(high, 0)), 8);
  store<f32>(target, scaleFor(f32x4.extract_lane(most, 3), f64x2.extract_lane(high, 1)), 12);
}

function scaleFor(largest: f32, squares: f64): f32 {
  if (largest == 0) return 0;
  if (!(largest >= SMALLEST_ROW && largest <= LARGEST)) return NaN;
  return max(<f32>(sqrt(squares) / NORM), largest / MOST);
}

/** False where a token's values have no scale. */
function packValues(frame: AttendFrame, values: usize, count: i32, tile: usize): bool {
  const size = frame.valueSize;
  const scales = valueScales(frame, tile);
  memory.fill(valueNumbers(frame, tile), 0, <usize>(ceil8(size) >> 3) * valuePanelBytes(frame));
  memory.fill(scales, 0, keysOfTile(frame) << 2);
  const mask = magnitudeMask();
  let rows = values;
  for (let j = 0; j < count; j++) {
    let most = f32x4.splat(0);
    let c = 0;
    for (; c + 4 <= size; c += 4) {
      most = largerMagnitude(most, v128.load(values + ((<usize>c) << 2)), mask);
    }
    let largest = largestOfFour(most);
    for (; c < size; c++) largest = max(largest, abs(load<f32>(values + ((<usize>c) << 2))));
    if (largest != 0 && !(largest >= SMALLEST_VALUE && largest <= LARGEST)) return false;
    store<f32>(scales + ((<usize>j) << 2), largest);
    values += frame.valueRow << 2;
  }
  for (let j = 0; j < count; j += 2) {
    packPair(frame, rows, j, count, tile);
    rows += frame.valueRow << 3;
  }
  for (let at: usize = 0; at < (<usize>count) << 2; at += 4) {
    store<f32>(scales + at, load<f32>(scales + at) / VALUE);
  }
  return true;
}

/** Numbers of tokens j and j + 1, of which the scales' place holds the largest. */
// @ts-ignore: decorator
@inline
function packPair(frame: AttendFrame, row: usize, j: i32, count: i32, tile: usize): void {
  const size = frame.valueSize;
  const panel = valuePanelBytes(frame);
  const scale = valueScales(frame, tile) + ((<usize>j) << 2);
  const both = j + 1 < count;
  // Behind the last token is that once more, times 0.
  const other = both ? row + (frame.valueRow << 2) : row;
  const largest = load<f32>(scale);
  const most = both ? load<f32>(scale, 4) : 0;
  const a = largest ? VALUE / largest : 0;
  const b = most ? VALUE / most : 0;
  let target = valueNumbers(frame, tile) + ((<usize>(j >> 1)) << 5);
  let c = 0;
  for (; c + 8 <= size; c += 8) {
    const x = rounded(row + ((<usize>c) << 2), f32x4.splat(a));
    const y = rounded(other + ((<usize>c) << 2), f32x4.splat(b));
    v128.store(target, v128.shuffle<i16>(x, y, 0, 8, 1, 9, 2, 10, 3, 11));
    v128.store(target, v128.shuffle<i16>(x, y, 4, 12, 5, 13, 6, 14, 7, 15), 16);
    target += panel;
  }
  for (; c < size; c++, target += 4) {
    const at = (<usize>c) << 2;
    store<i16>(target, <i16>nearest(load<f32>(row + at) * a));
    store<i16>(target, <i16>nearest(load<f32>(other + at) * b), 2);
  }
}

/** Eight numbers times a factor as integers of 16 bits, halves to even. */
// @ts-ignore: decorator
@inline
export function rounded(source: usize, factor: v128): v128 {
  return i16x8.narrow_i32x4_s(fourOf(source, factor), fourOf(source + 16, factor));
}

/** Added to 1.5·2²³ they are rounded, as its last bits. */
// @ts-ignore: decorator
@inline
export function fourOf(source: usize, factor: v128): v128 {
  const shift = f32x4.splat(12582912);
  return i32x4.sub(f32x4.add(f32x4.mul(v128.load(source), factor), shift), shift);
}
