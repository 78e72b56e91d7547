// One query whose keys and values the caches do not hold: the next tile's keys are scored while the
// values of this one are read, eight keys and eight values in turns.
//
// Memory delivers two runs in turns faster than one after the other. Eight keys are copied in the
// order they lie in before they are turned: read from eight places at once they come at half the
// speed (bench/NOTES.md).

import { Sequence, Slot } from "../frame";
import { address, element, size } from "../slots";
import { AHEAD_KEYS, CACHED_BYTES, KEYS } from "../tiles";
import { everyHead, keyValueHead } from "./heads";
import { Rows, rowsBytes } from "./rows";
import { scoreRow } from "./single";
import { sequence } from "./window";

/** The tile on its way: `count` keys from `keys` on, for each of the rows. */
@unmanaged
export class Ahead {
  keys: usize = 0;
  count: i32 = 0;
  /** Rows of the group, one query each. */
  rows: usize = 0;
  end: usize = 0;
  /** [group][KEYS] */
  scores: usize = 0;
  /** Room for AHEAD_KEYS keys. */
  staged: usize = 0;
}

const HEAD: usize = 64;

/** Whether keys and values are more than the caches hold. */
export function liesFar(frame: usize): bool {
  const heads = everyHead(frame);
  const row = size(frame, Slot.headSize) + size(frame, Slot.valueSize);
  return heads * <f64>size(frame, Slot.keys) * <f64>row * 4 > CACHED_BYTES;
}

/** Bytes of a staged key, a multiple of 16. */
// @ts-ignore: decorator
@inline
function stagedRow(frame: usize): usize {
  return ((address(frame, Slot.headSize) + 3) & ~3) << 2;
}

// @ts-ignore: decorator
@inline
function scoresBytes(group: i32): u64 {
  return (<u64>group * KEYS) << 2;
}

/** Bytes of an Ahead with its room: eight keys, and the scores of two tiles. */
export function aheadBytes(frame: usize, group: i32): u64 {
  const far = liesFar(frame);
  return far ? HEAD + <u64>stagedRow(frame) * AHEAD_KEYS + 2 * scoresBytes(group) : HEAD;
}

/** For rows from `rows` to `end`, with nothing on its way. */
export function beginAhead(frame: usize, ahead: Ahead, rows: usize, end: usize): void {
  ahead.rows = rows;
  ahead.end = end;
  ahead.count = 0;
  ahead.staged = changetype<usize>(ahead) + HEAD;
  ahead.scores = ahead.staged + stagedRow(frame) * AHEAD_KEYS;
}

/** Where the keys of query head h lie, from `from` on. */
// @ts-ignore: decorator
@inline
export function keysAt(frame: usize, b: i32, h: i32, from: i32): usize {
  const row = sequence(frame, b, Sequence.keyStart) + from;
  return element(frame, Slot.key, Slot.keyBatch, b, keyValueHead(frame, h), row);
}

/** Scores keys [i, i + AHEAD_KEYS) of the tile for every row. */
export function scoreAhead(frame: usize, ahead: Ahead, i: i32): void {
  const count = min(AHEAD_KEYS, ahead.count - i);
  const stride = address(frame, Slot.keyRow) << 2;
  stageKeys(frame, ahead.keys + <usize>i * stride, stride, count, ahead.staged);
  let scores = ahead.scores + ((<usize>i) << 2);
  const step = <usize>rowsBytes(frame);
  for (let at = ahead.rows; at < ahead.end; at += step) {
    const r = changetype<Rows>(at);
    if (r.count) scoreRow(frame, r.queries, ahead.staged, stagedRow(frame), count, scores);
    scores += (<usize>KEYS) << 2;
  }
}

/** Copies `count` keys in the order they lie in. */
function stageKeys(frame: usize, keys: usize, stride: usize, count: i32, into: usize): void {
  const bytes = address(frame, Slot.headSize) << 2;
  const step = stagedRow(frame);
  for (let j = 0; j < count; j++) {
    let at: usize = 0;
    for (; at + 64 <= bytes; at += 64) {
      v128.store(into + at, v128.load(keys + at));
      v128.store(into + at, v128.load(keys + at, 16), 16);
      v128.store(into + at, v128.load(keys + at, 32), 32);
      v128.store(into + at, v128.load(keys + at, 48), 48);
    }
    for (; at + 16 <= bytes; at += 16) v128.store(into + at, v128.load(keys + at));
    for (; at < bytes; at += 4) store<f32>(into + at, load<f32>(keys + at));
    keys += stride;
    into += step;
  }
}
