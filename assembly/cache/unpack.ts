// A tile's keys and values as the products of together.ts read them, made once for all rows, in units of 16 bytes:
//
//   keys      [KEYS/2][blocks][1 + units][2]   the scale four times, then of int16 four floats, else eight integers
//   queries   [rows/4][1 + blocks · units][4]  four rows' scales, then numbers as query.ts has them
//   scales    [blocks][KEYS]                   of values
//   values    [⌈Dv/8⌉][KEYS][8] floats of int16, else [⌈Dv/8⌉][KEYS/2][8][2] integers of 16 bits
//
// A block is what has a scale of its own: of int4 32 numbers, and a unit more of the query; of others a row.

import { AttendFrame } from "../attend/frame";
import { tileRows } from "../attend/rows";
import { allFinite } from "../gemm/pack";
import { NumbersKind } from "../kinds";
import { KEYS, REGISTER_ROWS, TILE_ROW, tilesOf } from "../tiles";
import { BLOCK_BYTES, SCALE } from "./numbers";
import { Query, queryBytes, queryNumbers } from "./query";
import { Strip, workOf } from "./work";

/** Rows of int8 that are longer are multiplied by themselves: the sums of four lanes end within 32 bits. */
const LONGEST: i32 = 2048;


@unmanaged
export class Unpacked {
  /** NumbersKind */
  numbers: i32 = 0;
  blocks: i32 = 0;
  /** Of a key's block, without its scale. */
  units: i32 = 0;
  valueSize: i32 = 0;
  /** Bytes of two keys, and of four queries. */
  pair: usize = 0;
  panel: usize = 0;
  keys: usize = 0;
  queries: usize = 0;
  scales: usize = 0;
  values: usize = 0;
  /** Rows that are multiplied together, whole fours, and keys; row i sees `reach` + i of them at most. */
  rows: i32 = 0;
  columns: i32 = 0;
  reach: i32 = 0;
  /** A row of values whose pair is to come. */
  even: usize = 0;
}

const HEADER: usize = 64;

/** Whether a tile is unpacked for some of the call's rows. */
// @ts-ignore: decorator
@inline
export function unpacks(frame: AttendFrame): bool {
  if (frame.queries < REGISTER_ROWS) return false;
  return frame.numbers != NumbersKind.int8 || frame.headSize <= LONGEST;
}

// @ts-ignore: decorator
@inline
function blocksOf(numbers: i32, size: i32): i32 {
  return numbers == NumbersKind.int4 ? tilesOf(size, 32) : 1;
}

// @ts-ignore: decorator
@inline
function unitsOf(numbers: i32, size: i32): i32 {
  if (numbers == NumbersKind.int4) return 4;
  return tilesOf(size, numbers == NumbersKind.int16 ? 4 : 8);
}

// @ts-ignore: decorator
@inline
function pairBytes(numbers: i32, size: i32): u64 {
  return (<u64>blocksOf(numbers, size) * (1 + unitsOf(numbers, size))) << 5;
}

// @ts-ignore: decorator
@inline
function panelBytes(numbers: i32, size: i32): u64 {
  const first = numbers == NumbersKind.int4 ? 1 : 0;
  return (1 + <u64>blocksOf(numbers, size) * (first + unitsOf(numbers, size))) << 6;
}

/** Of a number of a value. */
// @ts-ignore: decorator
@inline
function valueBytes(numbers: i32): usize {
  return numbers == NumbersKind.int16 ? 4 : 2;
}

/** Bytes of an Unpacked with its numbers, a multiple of 64. */
export function unpackedBytes(frame: AttendFrame): u64 {
  if (!unpacks(frame)) return 0;
  const numbers = frame.numbers;
  const scales = <u64>blocksOf(numbers, frame.valueSize) * TILE_ROW;
  const columns = (<u64>frame.valueSize + 31) & ~31;
  return (
    HEADER +
    <u64>(KEYS / 2) * pairBytes(numbers, frame.headSize) +
    <u64>(tileRows(frame) / REGISTER_ROWS) * panelBytes(numbers, frame.headSize) +
    scales +
    columns * KEYS * valueBytes(numbers)
  );
}

export function layOutUnpacked(u: Unpacked, frame: AttendFrame): void {
  const numbers = frame.numbers;
  u.numbers = numbers;
  u.blocks = blocksOf(numbers, frame.headSize);
  u.units = unitsOf(numbers, frame.headSize);
  u.valueSize = frame.valueSize;
  u.pair = <usize>pairBytes(numbers, frame.headSize);
  u.panel = <usize>panelBytes(numbers, frame.headSize);
  u.keys = changetype<usize>(u) + HEADER;
  u.queries = u.keys + <usize>(KEYS / 2) * u.pair;
  u.scales = u.queries + <usize>(tileRows(frame) / REGISTER_ROWS) * u.panel;
  u.values = u.scales + <usize>blocksOf(numbers, frame.valueSize) * TILE_ROW;
}

export function packQueries(u: Unpacked, queries: usize, size: i32): void {
  const step = queryBytes(size);
  let panel = u.queries;
  for (let i = 0; i < u.rows; i += REGISTER_ROWS) {
    for (let lane: usize = 0; lane < <usize>REGISTER_ROWS; lane++) {
      const query = changetype<Query>(queries);
      store<f32>(panel + (lane << 2), query.scale);
      const from = queryNumbers(query) - 16;
      for (let at: usize = 64; at < u.panel; at += 64) {
        v128.store(panel + at + (lane << 4), v128.load(from + (at >> 2)));
      }
      queries += step;
    }
    panel += u.panel;
  }
}

/** The strip's run of keys. */
export function unpackKeys(u: Unpacked, strip: Strip): void {
  let key = strip.run + workOf(strip, 0).keyHead;
  const end = strip.first + strip.count;
  for (let j = strip.first; j < end; j++) {
    const into = u.keys + <usize>(j >> 1) * u.pair + (((<usize>j) & 1) << 4);
    if (u.numbers == NumbersKind.int4) unpackBlocks(u, key, into);
    else unpackKey(u, key, into);
    key += strip.stride;
  }
}

function unpackKey(u: Unpacked, key: usize, into: usize): void {
  v128.store(into, v128.load32_splat(key));
  key += SCALE;
  const end = into + u.pair;
  const floats = u.numbers == NumbersKind.int16;
  for (into += 32; into < end; into += 32) {
    const numbers = floats
      ? f32x4.convert_i32x4_s(v128.load_ext<i16>(key))
      : v128.load_ext<i8>(key);
    v128.store(into, numbers);
    key += 8;
  }
}

function unpackBlocks(u: Unpacked, key: usize, into: usize): void {
  const mask = i16x8.splat(15);
  for (const end = into + u.pair; into < end; into += 160) {
    v128.store(into, v128.load32_splat(key));
    const x = v128.load(key, SCALE);
    v128.store(into, v128.and(x, mask), 32);
    v128.store(into, v128.and(i16x8.shr_u(x, 4), mask), 64);
    v128.store(into, v128.and(i16x8.shr_u(x, 8), mask), 96);
    v128.store(into, i16x8.shr_u(x, 12), 128);
    key += BLOCK_BYTES;
  }
}

/** The strip's run of values with their scales; of an odd number of all the last stands for the one after it too. */
export function unpackValues(u: Unpacked, strip: Strip): void {
  let value = strip.run + workOf(strip, 0).valueHead;
  const end = strip.first + strip.count;
  for (let j = strip.first; j < end; j++) {
    const scale = u.scales + ((<usize>j) << 2);
    if (u.numbers == NumbersKind.int4) {
      let block = value;
      for (let i = 0; i < u.valueSize; i += 32) {
        store<f32>(scale + ((<usize>i) >> 5) * TILE_ROW, load<f32>(block));
        block += BLOCK_BYTES;
      }
    } else store<f32>(scale, load<f32>(value));
    if (u.numbers == NumbersKind.int16) unpackValue(u, value + SCALE, j);
    else if (j & 1) unpackPair(u, u.even, value, j >> 1);
    else if (j + 1 == strip.seen) unpackPair(u, value, value, j >> 1);
    else u.even = value;
    value += strip.stride;
  }
}

/** Whether one of `count` values' scales is NaN or infinity; those after them, up to a whole eight, become 0. */
export function isSpecial(u: Unpacked, count: i32): bool {
  const end = (<usize>((count + 7) & ~7)) << 2;
  let special: bool = false;
  for (let scales = u.scales; scales < u.values; scales += TILE_ROW) {
    for (let at = (<usize>count) << 2; at < end; at += 4) store<f32>(scales + at, 0);
    special = special || !allFinite(scales, end >> 2);
  }
  return special;
}

function unpackValue(u: Unpacked, value: usize, j: i32): void {
  let into = u.values + ((<usize>j) << 5);
  for (let column = 0; column < u.valueSize; column += 8) {
    v128.store(into, f32x4.convert_i32x4_s(v128.load_ext<i16>(value)));
    v128.store(into, f32x4.convert_i32x4_s(v128.load_ext<i16>(value, 8)), 16);
    value += 16;
    into += KEYS << 5;
  }
}

/** Two rows of int8, or of int4 less 8. */
function unpackPair(u: Unpacked, a: usize, b: usize, pair: i32): void {
  let into = u.values + ((<usize>pair) << 5);
  if (u.numbers == NumbersKind.int8) {
    for (let column: usize = 0; column < <usize>u.valueSize; column += 8) {
      storePair(v128.load_ext<i8>(a + column, 4), v128.load_ext<i8>(b + column, 4), into);
      into += KEYS << 4;
    }
    return;
  }
  for (let column = 0; column < u.valueSize; column += 32) {
    const a0 = lowHalves(v128.load(a, SCALE));
    const b0 = lowHalves(v128.load(b, SCALE));
    const a1 = lowHalves(i8x16.shr_u(v128.load(a, SCALE), 4));
    const b1 = lowHalves(i8x16.shr_u(v128.load(b, SCALE), 4));
    const next: usize = KEYS << 4;
    storePair(i16x8.extend_low_i8x16_s(a0), i16x8.extend_low_i8x16_s(b0), into);
    storePair(i16x8.extend_high_i8x16_s(a0), i16x8.extend_high_i8x16_s(b0), into + next);
    storePair(i16x8.extend_low_i8x16_s(a1), i16x8.extend_low_i8x16_s(b1), into + 2 * next);
    storePair(i16x8.extend_high_i8x16_s(a1), i16x8.extend_high_i8x16_s(b1), into + 3 * next);
    a += BLOCK_BYTES;
    b += BLOCK_BYTES;
    into += 4 * next;
  }
}

/** The low four bits of bytes, less 8. */
// @ts-ignore: decorator
@inline
function lowHalves(x: v128): v128 {
  return i8x16.sub(v128.and(x, i8x16.splat(15)), i8x16.splat(8));
}

/** Eight columns of two rows, side by side. */
// @ts-ignore: decorator
@inline
function storePair(a: v128, b: v128, into: usize): void {
  v128.store(into, v128.shuffle<i16>(a, b, 0, 8, 1, 9, 2, 10, 3, 11));
  v128.store(into, v128.shuffle<i16>(a, b, 4, 12, 5, 13, 6, 14, 7, 15), 16);
}

/** Eight columns of the tile's values, from `column` on, a multiple of 8. */
// @ts-ignore: decorator
@inline
export function valuePanel(u: Unpacked, column: i32): usize {
  return u.values + <usize>column * <usize>KEYS * valueBytes(u.numbers);
}
