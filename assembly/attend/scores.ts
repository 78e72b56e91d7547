// What happens to a tile of scores, scale · Q·Kᵀ, before the softmax, in the field's order:
//
//   s                                scores: raw
//   s ← cap · tanh(s / cap)          scores: capped
//   s ← scoreMod(s)                  in JavaScript
//   s ← s + slope · distance         ALiBi (Press et al. 2021)
//   s ← s + masks, or −∞             scores: biased
//
// Tiles are [rows × KEYS]; row i is query `row + i`, column j key `column + j`.

import { AlibiDistance, ScoresKind, Slot } from "../frame";
import { softcap } from "../simd/softcap";
import { address, number, size } from "../slots";
import { KEYS } from "../tiles";
import { blockScores } from "./blocks";
import { maskScores } from "./mask";
import { keepScores, matrixRow } from "./weights";
import { visibleFrom, visibleTo } from "./window";

const ROW: usize = (<usize>KEYS) << 2;

/** Hands [rows, columns] scores at `tile` to the caller's function, which changes them in place. */
// @ts-ignore: decorator
@external("caller", "scoreMod")
declare function scoreMod(
  tile: usize,
  batch: i32,
  head: i32,
  query: i32,
  key: i32,
  rows: i32,
  columns: i32,
): void;

/** All of the above on one tile; `spare` holds as many scores. */
export function finishScores(
  frame: usize,
  scores: usize,
  spare: usize,
  b: i32,
  h: i32,
  row: i32,
  rows: i32,
  column: i32,
  columns: i32,
  position: i32,
  keys: i32,
): void {
  const filled = (columns + 7) & ~7;
  keepKind(frame, ScoresKind.raw, scores, b, h, row, rows, column, columns);
  capScores(frame, scores, rows, filled);
  keepKind(frame, ScoresKind.capped, scores, b, h, row, rows, column, columns);
  if (size(frame, Slot.modified)) {
    modifyScores(scores, spare, b, h, row, rows, column, columns);
  }
  biasScores(frame, scores, b, h, row, rows, column, columns, position, keys);
  keepKind(frame, ScoresKind.biased, scores, b, h, row, rows, column, columns);
}

/** ALiBi and masks: what is added to the scores, and which keys are left out. */
export function biasScores(
  frame: usize,
  scores: usize,
  b: i32,
  h: i32,
  row: i32,
  rows: i32,
  column: i32,
  columns: i32,
  position: i32,
  keys: i32,
): void {
  const filled = (columns + 7) & ~7;
  const distance = size(frame, Slot.distance);
  const masked = size(frame, Slot.maskCount) != 0;
  const blocked = size(frame, Slot.blockSize) != 0;
  // Whether some row does not see some key by its position.
  const cut =
    visibleFrom(frame, position + rows - 1, keys) > column ||
    visibleTo(frame, position, keys) < column + filled;
  for (let i = 0; i < rows && (distance || masked || blocked || cut); i++) {
    const at = scores + <usize>i * ROW;
    const place = position + i;
    if (distance) addAlibi(frame, at, b, h, place, column, filled);
    if (masked) maskScores(frame, at, b, h, row + i, column, columns);
    if (blocked) blockScores(frame, at, b, h, row + i, column, columns);
    if (cut) {
      hide(at, 0, min(visibleFrom(frame, place, keys) - column, filled));
      hide(at, max(visibleTo(frame, place, keys) - column, 0), filled);
    }
  }
}

/** Leaves out columns [from, to) of a row. */
// @ts-ignore: decorator
@inline
function hide(scores: usize, from: i32, to: i32): void {
  for (let j = from; j < to; j++) store<f32>(scores + ((<usize>j) << 2), -(<f32>Infinity));
}

/** Copies the tile to the result if these are the scores that were asked for. */
function keepKind(
  frame: usize,
  kind: i32,
  scores: usize,
  b: i32,
  h: i32,
  row: i32,
  rows: i32,
  column: i32,
  columns: i32,
): void {
  if (size(frame, Slot.scoresKind) != kind) return;
  const kept = matrixRow(frame, Slot.scores, b * size(frame, Slot.heads) + h, row);
  keepScores(scores, kept, address(frame, Slot.keys), column, rows, columns);
}

/** The soft cap, if there is one, on `count` scores of each row. */
export function capScores(frame: usize, scores: usize, rows: i32, count: i32): void {
  const limit = number(frame, Slot.softcap);
  if (!(limit > 0)) return;
  const cap = f32x4.splat(limit);
  for (let i = 0; i < rows; i++) {
    let at = scores + <usize>i * ROW;
    const end = at + ((<usize>count) << 2);
    for (; at < end; at += 16) v128.store(at, softcap(v128.load(at), cap));
  }
}

/** JavaScript sees the tile without the room between its rows. */
function modifyScores(
  scores: usize,
  spare: usize,
  b: i32,
  h: i32,
  row: i32,
  rows: i32,
  column: i32,
  columns: i32,
): void {
  const bytes = (<usize>columns) << 2;
  for (let i: usize = 0; i < <usize>rows; i++) {
    memory.copy(spare + i * bytes, scores + i * ROW, bytes);
  }
  scoreMod(spare, b, h, row, column, rows, columns);
  for (let i: usize = 0; i < <usize>rows; i++) {
    memory.copy(scores + i * ROW, spare + i * bytes, bytes);
  }
}

/** scores + slope · (−|position − key|, key − position, or key). */
function addAlibi(
  frame: usize,
  scores: usize,
  b: i32,
  h: i32,
  position: i32,
  column: i32,
  count: i32,
): void {
  const distance = size(frame, Slot.distance);
  const index = <usize>b * address(frame, Slot.slopesBatch) + <usize>h;
  const slope = v128.load32_splat(address(frame, Slot.slopes) + (index << 2));
  // An integer difference: exact however far the position.
  const start = distance == AlibiDistance.key ? column : column - position;
  let key = i32x4.add(i32x4.splat(start), i32x4(0, 1, 2, 3));
  const four = i32x4.splat(4);
  const end = scores + ((<usize>count) << 2);
  for (; scores < end; scores += 16) {
    const steps = distance == AlibiDistance.absolute ? i32x4.neg(i32x4.abs(key)) : key;
    const bias = f32x4.mul(slope, f32x4.convert_i32x4_s(steps));
    v128.store(scores, f32x4.add(v128.load(scores), bias));
    key = i32x4.add(key, four);
  }
}
