// A tile of keys and values in integers of 8 bits, −127 to 127:
//
//   k̂_jd = nearest((k_jd − μ_d) / f_d / s_j),  s_j = max_d |(k_jd − μ_d) / f_d| / 127
//   v̂_jc = nearest((v_jc − ν_c) / g_c / t_j),  t_j = max_c |(v_jc − ν_c) / g_c| / 127      a scale a token, for sinks
//
// μ and ν are the means of the tile's rows, g_c the largest |v_jc − ν_c|: where one token's values are much larger
// than others', its channels alike, or the weights times t would leave the others few numbers. A tile with NaN, infinity or numbers
// too large or small for a scale is packed in float32 instead.

import { AttendFrame } from "../../attend/frame";
import { keysAt, valuesAt } from "../../attend/located";
import { packTile, tileKeys } from "../../attend/panels";
import { byteForm, ByteForm } from "../../simd/bytes";
import { foursOf, pairsOf } from "../transpose";
import { around, fourOf, largestAround, largestOf, meansOf, roundedFour } from "./channels";
import {
  inverses,
  keyMeans,
  keyNumbers,
  keyPanelBytes,
  keyScales,
  keySums,
  LARGEST,
  perColumn,
  SMALLEST,
  valueMeans,
  valueNumbers,
  valuePanelBytes,
  valueScales,
  valueSpreads,
} from "./layout";
import { ceil8 } from "../../tiles";

const MOST: f32 = 127;
/** As SMALLEST, of what is left when a mean has been taken away. */
const LEAST: f32 = reinterpret<f32>((127 - 115) << 23);
/** A channel's divisor, of the tile's largest value at least. */
const LEAST_SPREAD: f32 = reinterpret<f32>((127 - 14) << 23);

// @ts-ignore: decorator
@inline
export function isOfBytes(tile: usize): bool {
  return load<i32>(tile, 4) != 0;
}

/** As packTile of attend/panels.ts; `panels` are the head's. */
export function packBytes(
  frame: AttendFrame,
  index: i32,
  from: i32,
  count: i32,
  tile: usize,
  panels: usize,
): void {
  const keys = keysAt(frame, index, from, count, 0);
  const values = valuesAt(frame, index, from, count, 0);
  const factors = inverses(frame, panels);
  if (packKeys(frame, keys, count, tile, factors) && packValues(frame, values, count, tile)) {
    store<i32>(tile, 1, 4);
    return;
  }
  packTile(frame, index, from, count, tile, 0);
  store<i32>(tile, 0, 4);
}

/** The largest number of each row, to `target`; false where one has no scale. */
function measure(rows: usize, stride: usize, count: i32, size: i32, target: usize): bool {
  for (let j = 0; j < count; j++) {
    const largest = largestOf(rows, size);
    if (largest != 0 && !(largest >= SMALLEST && largest <= LARGEST)) return false;
    store<f32>(target + ((<usize>j) << 2), largest);
    rows += stride << 2;
  }
  return true;
}

/** False where a key has no scale. */
function packKeys(frame: AttendFrame, keys: usize, count: i32, tile: usize, factors: usize): bool {
  const size = frame.headSize;
  const words = byteForm() == ByteForm.words;
  const step = keyPanelBytes(frame);
  const numbers = keyNumbers(frame, tile);
  const means = keyMeans(frame, tile);
  // Scales, sums, means and numbers.
  memory.fill(keyScales(tile), 0, valueNumbers(frame, tile) - keyScales(tile));
  if (!measure(keys, frame.keyRow, count, size, keyScales(tile))) return false;
  meansOf(keys, frame.keyRow, count, size, keyScales(tile), means);
  for (let j = 0; j < count; j++) {
    const largest = largestAround(keys, size, means, factors);
    if (largest != 0 && !(largest >= LEAST)) return false;
    const inverse = f32x4.splat(largest ? MOST / largest : 0);
    store<f32>(keyScales(tile) + ((<usize>j) << 2), largest / MOST);
    let target = numbers + <usize>(j >> 3) * step + ((<usize>(j & 7)) << 2);
    let sum = i32x4.splat(0);
    for (let d = 0; d < size; d += 4) {
      const four = roundedFour(f32x4.mul(around(keys, d, size, means, factors), inverse));
      sum = i32x4.add(sum, four);
      const halves = i16x8.narrow_i32x4_s(four, four);
      if (words) {
        v128.store32_lane(target, halves, 0);
        v128.store32_lane(target, halves, 1, 32);
        target += 64;
      } else {
        v128.store32_lane(target, i8x16.narrow_i16x8_s(halves, halves), 0);
        target += 32;
      }
    }
    const pairs = i32x4.add(sum, v128.shuffle<i32>(sum, sum, 2, 3, 0, 1));
    const all = i32x4.extract_lane(pairs, 0) + i32x4.extract_lane(pairs, 1);
    store<i32>(keySums(frame, tile) + ((<usize>j) << 2), words ? 0 : -64 * all);
    keys += frame.keyRow << 2;
  }
  return true;
}

/** False where a token's values have no scale. */
function packValues(frame: AttendFrame, values: usize, count: i32, tile: usize): bool {
  const size = frame.valueSize;
  const words = byteForm() == ByteForm.words;
  const panel = valuePanelBytes(frame);
  const numbers = valueNumbers(frame, tile);
  const means = valueMeans(frame, tile);
  const spreads = valueSpreads(frame, tile);
  const scales = valueScales(frame, tile);
  memory.fill(numbers, 0, <usize>(ceil8(size) >> 3) * panel);
  if (!measure(values, frame.valueRow, count, size, scales)) return false;
  meansOf(values, frame.valueRow, count, size, scales, means);
  let largest: f32 = 0;
  for (let j = 0; j < count; j++) largest = max(largest, load<f32>(scales + ((<usize>j) << 2)));
  spreadsOf(frame, values, count, largest, tile);
  // The largest of each token, until all numbers are made of them.
  let row = values;
  for (let j = 0; j < count; j++) {
    const largest = largestAround(row, size, means, spreads);
    if (largest != 0 && !(largest >= LEAST)) return false;
    store<f32>(scales + ((<usize>j) << 2), largest);
    row += frame.valueRow << 2;
  }
  const together = words ? 2 : 4;
  for (let j = 0; j < count; j += together) {
    packTokens(frame, values, j, count, tile);
    values += <usize>together * (frame.valueRow << 2);
  }
  for (let at: usize = 0; at < (<usize>count) << 2; at += 4) {
    store<f32>(scales + at, load<f32>(scales + at) / MOST);
  }
  memory.fill(scales + ((<usize>count) << 2), 0, (<usize>(ceil8(tileKeys(frame)) - count)) << 2);
  for (let at: usize = 0; at < perColumn(frame); at += 16) {
    v128.store(spreads + at, f32x4.div(f32x4.splat(1), v128.load(spreads + at)));
  }
  return true;
}

/** Numbers of tokens j and on that lie together in a column: four bytes, or two words. */
// @ts-ignore: decorator
@inline
function packTokens(frame: AttendFrame, row: usize, j: i32, count: i32, tile: usize): void {
  const size = frame.valueSize;
  const panel = valuePanelBytes(frame);
  const means = valueMeans(frame, tile);
  const spreads = valueSpreads(frame, tile);
  const largest = valueScales(frame, tile);
  const stride = frame.valueRow << 2;
  // A token behind the last is the last, times 0.
  const row1 = j + 1 < count ? row + stride : row;
  const row2 = j + 2 < count ? row1 + stride : row1;
  const row3 = j + 3 < count ? row2 + stride : row2;
  const i0 = inverseOf(largest, j, count);
  const i1 = inverseOf(largest, j + 1, count);
  if (byteForm() == ByteForm.words) {
    const first = valueNumbers(frame, tile) + ((<usize>(j >> 1)) << 5);
    for (let c = 0; c < size; c += 4) {
      const a = roundedFour(f32x4.mul(around(row, c, size, means, spreads), i0));
      const b = roundedFour(f32x4.mul(around(row1, c, size, means, spreads), i1));
      const target = first + <usize>(c >> 3) * panel + ((<usize>(c & 4)) << 2);
      v128.store(target, pairsOf(a, b));
    }
    return;
  }
  const i2 = inverseOf(largest, j + 2, count);
  const i3 = inverseOf(largest, j + 3, count);
  const first = valueNumbers(frame, tile) + ((<usize>(j >> 2)) << 5);
  for (let c = 0; c < size; c += 4) {
    const x0 = roundedFour(f32x4.mul(around(row, c, size, means, spreads), i0));
    const x1 = roundedFour(f32x4.mul(around(row1, c, size, means, spreads), i1));
    const x2 = roundedFour(f32x4.mul(around(row2, c, size, means, spreads), i2));
    const x3 = roundedFour(f32x4.mul(around(row3, c, size, means, spreads), i3));
    const target = first + <usize>(c >> 3) * panel + ((<usize>(c & 4)) << 2);
    v128.store(target, foursOf(x0, x1, x2, x3));
  }
}

// @ts-ignore: decorator
@inline
function inverseOf(largest: usize, j: i32, count: i32): v128 {
  const most = j < count ? load<f32>(largest + ((<usize>j) << 2)) : 0;
  return f32x4.splat(most ? MOST / most : 0);
}

/** 1/g of each column. */
function spreadsOf(frame: AttendFrame, values: usize, count: i32, largest: f32, tile: usize): void {
  const size = frame.valueSize;
  const means = valueMeans(frame, tile);
  const spreads = valueSpreads(frame, tile);
  const least = f32x4.splat(largest ? largest * LEAST_SPREAD : 1);
  const end = perColumn(frame);
  for (let at: usize = 0; at < end; at += 16) v128.store(spreads + at, least);
  for (let j = 0; j < count; j++) {
    for (let c = 0; c < size; c += 4) {
      const at = (<usize>c) << 2;
      const off = f32x4.abs(f32x4.sub(fourOf(values, c, size), v128.load(means + at)));
      v128.store(spreads + at, f32x4.pmax(v128.load(spreads + at), off));
    }
    values += frame.valueRow << 2;
  }
  for (let at: usize = 0; at < end; at += 16) {
    v128.store(spreads + at, f32x4.div(f32x4.splat(1), v128.load(spreads + at)));
  }
}
