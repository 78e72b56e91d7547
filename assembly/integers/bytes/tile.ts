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
import { ceil8, packTile, tileKeys } from "../../attend/panels";
import { byteForm, ByteForm } from "../../simd/bytes";
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
  for (let j = 0; j < count; j++) {
    const largest = largestAround(values, size, means, spreads);
    if (largest != 0 && !(largest >= LEAST)) return false;
    store<f32>(scales + ((<usize>j) << 2), largest / MOST);
    const inverse = f32x4.splat(largest ? MOST / largest : 0);
    // Of four bytes, or two words, to a column.
    const first = words
      ? numbers + ((<usize>(j >> 1)) << 5) + ((<usize>(j & 1)) << 1)
      : numbers + ((<usize>(j >> 2)) << 5) + <usize>(j & 3);
    for (let c = 0; c < size; c += 4) {
      const four = roundedFour(f32x4.mul(around(values, c, size, means, spreads), inverse));
      const target = first + <usize>(c >> 3) * panel + ((<usize>(c & 4)) << 2);
      if (words) {
        v128.store16_lane(target, four, 0);
        v128.store16_lane(target, four, 2, 4);
        v128.store16_lane(target, four, 4, 8);
        v128.store16_lane(target, four, 6, 12);
      } else {
        v128.store8_lane(target, four, 0);
        v128.store8_lane(target, four, 4, 4);
        v128.store8_lane(target, four, 8, 8);
        v128.store8_lane(target, four, 12, 12);
      }
    }
    values += frame.valueRow << 2;
  }
  memory.fill(scales + ((<usize>count) << 2), 0, (<usize>(ceil8(tileKeys(frame)) - count)) << 2);
  for (let at: usize = 0; at < perColumn(frame); at += 16) {
    v128.store(spreads + at, f32x4.div(f32x4.splat(1), v128.load(spreads + at)));
  }
  return true;
}

/** 1/g of each column. */
function spreadsOf(frame: AttendFrame, values: usize, count: i32, largest: f32, tile: usize): void {
  const size = frame.valueSize;
  const means = valueMeans(frame, tile);
  const spreads = valueSpreads(frame, tile);
  const least = f32x4.splat(largest ? largest * LEAST_SPREAD : 1);
  for (let c = 0; c < ceil8(size); c += 4) {
    const at = (<usize>c) << 2;
    const mean = v128.load(means + at);
    let spread = least;
    let row = values;
    for (let j = 0; j < count && c < size; j++) {
      spread = f32x4.pmax(spread, f32x4.abs(f32x4.sub(fourOf(row, c, size), mean)));
      row += frame.valueRow << 2;
    }
    v128.store(spreads + at, f32x4.div(f32x4.splat(1), spread));
  }
}
