// What happens to a tile of scores, scale · Q·Kᵀ, before the softmax, in the field's order:
//
//   s                                scores: raw
//   s ← cap · tanh(s / cap)          scores: capped
//   s ← scoreMod(s)                  in JavaScript
//   s ← s + slope · distance         ALiBi (Press et al. 2021)
//   s ← s + masks, or −∞             scores: biased

import { AlibiDistance, ScoresKind } from "../../kinds";
import { softcap } from "../../simd/softcap";
import { ceil8, TILE_ROW } from "../../tiles";
import { AttendFrame, sequenceOf } from "../frame";
import { Tile } from "../tile";
import { blockScores } from "../visible/blocks";
import { maskScores } from "../visible/mask";
import { visibleFrom, visibleTo } from "../visible/window";
import { matrixRow, storeScores } from "./weights";

/** Hands [rows, columns] scores to the caller's function, which changes them in place. */
// @ts-ignore: decorator
@external("caller", "scoreMod")
declare function scoreMod(scores: usize, tile: Tile): void;

/** All of the above on one tile; `spare` is of as many scores. */
// @ts-ignore: decorator
@inline
export function finishScores(frame: AttendFrame, tile: Tile, scores: usize, spare: usize): void {
  returnScores(frame, ScoresKind.raw, tile, scores);
  capScores(frame, scores, tile.rows, ceil8(tile.columns));
  returnScores(frame, ScoresKind.capped, tile, scores);
  if (frame.modified) modifyScores(tile, scores, spare);
  biasScores(frame, tile, scores);
  returnScores(frame, ScoresKind.biased, tile, scores);
}

/** ALiBi and masks: what is added to the scores, and which keys are left out. */
export function biasScores(frame: AttendFrame, tile: Tile, scores: usize): void {
  const filled = ceil8(tile.columns);
  const masked = frame.maskCount != 0;
  const blocked = frame.blockSize != 0;
  const keys = sequenceOf(frame, tile.b).keys;
  // Whether some row does not see some key by its position.
  const cut =
    visibleFrom(frame, tile.position + tile.rows - 1, keys) > tile.column ||
    visibleTo(frame, tile.position, keys) < tile.column + filled;
  if (!(frame.distance || masked || blocked || cut)) return;
  for (let i = 0; i < tile.rows; i++) {
    const at = scores + <usize>i * TILE_ROW;
    const position = tile.position + i;
    if (frame.distance) addAlibi(frame, tile, position, at);
    if (masked) maskScores(frame, tile, i, at);
    if (blocked) blockScores(frame, tile, i, at);
    if (cut) {
      const sinks = max(frame.sinkKeys - tile.column, 0);
      hide(at, sinks, min(visibleFrom(frame, position, keys) - tile.column, filled));
      hide(at, max(visibleTo(frame, position, keys) - tile.column, 0), filled);
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
// @ts-ignore: decorator
@inline
function returnScores(frame: AttendFrame, kind: i32, tile: Tile, scores: usize): void {
  if (frame.scoresKind != kind) return;
  storeScores(tile, scores, matrixRow(frame, frame.scores, tile), <usize>frame.keys);
}

/** The soft cap, if there is one, on `count` scores of each row. */
export function capScores(frame: AttendFrame, scores: usize, rows: i32, count: i32): void {
  if (!(frame.softcap > 0)) return;
  const cap = f32x4.splat(frame.softcap);
  for (let i = 0; i < rows; i++) {
    let at = scores + <usize>i * TILE_ROW;
    const end = at + ((<usize>count) << 2);
    for (; at < end; at += 16) v128.store(at, softcap(v128.load(at), cap));
  }
}

/** JavaScript sees the tile without the gaps between its rows. */
function modifyScores(tile: Tile, scores: usize, spare: usize): void {
  const bytes = (<usize>tile.columns) << 2;
  for (let i: usize = 0; i < <usize>tile.rows; i++) {
    memory.copy(spare + i * bytes, scores + i * TILE_ROW, bytes);
  }
  scoreMod(spare, tile);
  for (let i: usize = 0; i < <usize>tile.rows; i++) {
    memory.copy(scores + i * TILE_ROW, spare + i * bytes, bytes);
  }
}

/** scores + slope · (−|position − key|, key − position, or key). */
function addAlibi(frame: AttendFrame, tile: Tile, position: i32, scores: usize): void {
  const index = <usize>tile.b * frame.slopesBatch + <usize>tile.h;
  const slope = v128.load32_splat(frame.slopes + (index << 2));
  // An integer difference: exact however far the position.
  const start = frame.distance == AlibiDistance.key ? tile.column : tile.column - position;
  let key = i32x4.add(i32x4.splat(start), i32x4(0, 1, 2, 3));
  const four = i32x4.splat(4);
  const end = scores + ((<usize>ceil8(tile.columns)) << 2);
  for (; scores < end; scores += 16) {
    const absolute = frame.distance == AlibiDistance.absolute;
    const steps = absolute ? i32x4.neg(i32x4.abs(key)) : key;
    const bias = f32x4.mul(slope, f32x4.convert_i32x4_s(steps));
    v128.store(scores, f32x4.add(v128.load(scores), bias));
    key = i32x4.add(key, four);
  }
}
