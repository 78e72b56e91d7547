// Every tile size. Each with the measurement that chose it; see bench/NOTES.md.

import { PACKED_DEPTH, SPAN_KEYS, TILE_KEYS } from "./kinds";

/** Tiles of `size` rows; unsigned, since `rows` may be up to the last of 31 bits. */
// @ts-ignore: decorator
@inline
export function tilesOf(rows: i32, size: i32): i32 {
  return <i32>((<u32>rows + <u32>size - 1) / <u32>size);
}

/** The next multiple of eight: lanes, and columns of a panel. */
// @ts-ignore: decorator
@inline
export function ceil8(n: i32): i32 {
  return (n + 7) & ~7;
}

/** Query rows of a tile: the softmax state and output rows stay while keys stream by. */
export const ROWS: i32 = 64;

/** Keys of a tile: 64 × 128 scores fill 32 kB, the level-1 data cache. */
export const KEYS: i32 = TILE_KEYS;

/** Bytes of a row of scores. */
export const TILE_ROW: usize = (<usize>KEYS) << 2;

/** Rows and columns of the register block: 8 accumulators hide the latency of multiply-add. */
export const REGISTER_ROWS: i32 = 4;
export const REGISTER_COLUMNS: i32 = 8;

/** Longest sums over the head size and over keys before they are added up; see bench/NOTES.md. */
export const SCORE_SUM: i32 = 32;
export const VALUE_SUM: i32 = 128;

/** Keys of a span, whose states are merged: few enough to be a thread's share, many to be worth it. */
export const SPAN: i32 = SPAN_KEYS;

/** linear: rows of x and depth packed at a time (128 × 256 floats stay in the level-2 cache). */
export const LINEAR_ROWS: i32 = 128;
export const LINEAR_DEPTH: i32 = PACKED_DEPTH;

/** The same of weights of few bits, whose x is integers. */
export const QUANTIZED_ROWS: i32 = 64;

/** linear's bias gradient: rows that are added up before they are added to the sum. */
export const SUM_ROWS: i32 = 64;

/** linear: items for each thread, so that one that is late is not waited for long. */
export const THREAD_ITEMS: i32 = 4;

/** Multiply-adds that run without a pause: some milliseconds of them. */
export const PART: i64 = 1 << 25;

/** Keys and values of more bytes than this come from memory: one query reads those of some heads in turns. */
export const CACHED_BYTES: f64 = 8388608;

/** Key and value heads whose rows are read in turns: memory delivers four runs faster than one. */
export const TURNS: i32 = 4;

/** Keys, and values, of each at a time. */
export const TURN_KEYS: i32 = 8;
export const TURN_VALUES: i32 = 2;
