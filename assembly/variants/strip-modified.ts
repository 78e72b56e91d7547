// What functions of the caller's change on the way: weights, gradients of weights, and gradients of scores (scoreMod
// itself is called where scores are finished). JavaScript is shown a tile as in backward/modified.ts, its numbers in the
// scratch of a tile, where there is room for two; steps, in the last bits of the tile's address:
//
//   0 scoreMod     1 its gradient     2 weightMod     3 its gradient
//
//   hidden   [tiles][rows][KEYS/4] a bit for each key that the row does not see: its weight stays 0

import { Rows, tileRows } from "../attend/rows";
import { capScores } from "../attend/scores/scores";
import { scoresOf, spareOf } from "../attend/scratch";
import { KEYS, TILE_ROW } from "../tiles";
import { VariantAttendFrame } from "./frame";
import { scoreProduct, Strip, stripRows, stripTile } from "./strip";

const HIDDEN_ROW: usize = (<usize>KEYS) >> 2;

// @ts-ignore: decorator
@external("caller", "scoreMod")
declare function call(tile: usize, record: usize): void;

/** Bytes that a tile needs. */
export function hiddenBytes(frame: VariantAttendFrame): usize {
  return frame.weighed ? <usize>tileRows(frame) * HIDDEN_ROW : 0;
}

// @ts-ignore: decorator
@inline
function hiddenOf(frame: VariantAttendFrame, strip: Strip, index: i32, i: usize): usize {
  return strip.hidden + <usize>index * hiddenBytes(frame) + i * HIDDEN_ROW;
}

// @ts-ignore: decorator
@inline
function isHidden(row: usize, j: usize): bool {
  return ((load<u8>(row + (j >> 4)) >> (<u8>((j >> 2) & 3))) & 1) != 0;
}

/** Which keys each row does not see, of the scores that are stored. */
export function markHidden(frame: VariantAttendFrame, strip: Strip): void {
  const masked = f32x4.splat(-(<f32>Infinity));
  const rows = <usize>stripRows(strip).rows;
  for (let index = 0; index < strip.count; index++) {
    const tile = stripTile(frame, strip, index);
    for (let i: usize = 0; i < rows; i++) {
      const row = hiddenOf(frame, strip, index, i);
      for (let j: usize = 0; j < TILE_ROW; j += 16) {
        const hidden = f32x4.eq(v128.load(tile + i * TILE_ROW + j), masked);
        store<u8>(row + (j >> 4), <u8>i32x4.bitmask(hidden));
      }
    }
  }
}

/** 0 for the keys that a row does not see, of a tile's numbers [rows][columns]. */
function clearHidden(frame: VariantAttendFrame, strip: Strip, index: i32, numbers: usize): void {
  const r = stripRows(strip);
  const bytes = (<usize>r.columns) << 2;
  for (let i: usize = 0; i < <usize>r.rows; i++) {
    const hidden = hiddenOf(frame, strip, index, i);
    for (let j: usize = 0; j < bytes; j += 4) {
      if (isHidden(hidden, j)) store<f32>(numbers + i * bytes + j, 0);
    }
  }
}

/** weightMod(weights) of a tile, [rows][columns] in the scratch of a tile. */
function modifiedTile(frame: VariantAttendFrame, strip: Strip, index: i32): usize {
  const tile = stripTile(frame, strip, index);
  const r = stripRows(strip);
  const shown = scoresOf(strip.scratch);
  pack(r, tile, shown);
  call(shown, changetype<usize>(r) | 2);
  clearHidden(frame, strip, index, shown);
  return shown;
}

/** weights ← weightMod(weights) of all tiles. */
export function modifyWeights(frame: VariantAttendFrame, strip: Strip): void {
  for (let index = 0; index < strip.count; index++) {
    const shown = modifiedTile(frame, strip, index);
    unpack(stripRows(strip), shown, stripTile(frame, strip, index));
  }
}

/** The modified weights of a tile, transposed [KEYS/4][capacity][4]; the tile keeps those that they are made of. */
export function modifiedTransposed(
  frame: VariantAttendFrame,
  strip: Strip,
  index: i32,
  target: usize,
  capacity: usize,
): void {
  const shown = modifiedTile(frame, strip, index);
  const r = stripRows(strip);
  const bytes = (<usize>r.columns) << 2;
  for (let i: usize = 0; i < <usize>r.rows; i++) {
    for (let j: usize = 0; j < ((bytes + 15) & ~15); j += 4) {
      const weight = j < bytes ? load<f32>(shown + i * bytes + j) : <f32>0;
      store<f32>(target + (((j >> 4) * capacity) << 4) + (i << 4) + (j & 15), weight);
    }
  }
}

/** A tile of gradients of modified weights becomes that of the weights. */
export function modifyWeightGradients(
  frame: VariantAttendFrame,
  strip: Strip,
  index: i32,
  gradients: usize,
): void {
  const tile = stripTile(frame, strip, index);
  const r = stripRows(strip);
  const before = scoresOf(strip.scratch);
  const shown = before + ((<usize>(r.rows * r.columns)) << 2);
  pack(r, tile, before);
  pack(r, gradients, shown);
  clearHidden(frame, strip, index, shown);
  call(before, changetype<usize>(r) | 3);
  clearHidden(frame, strip, index, shown);
  unpack(r, shown, gradients);
}

/**
 * A tile of gradients of scores goes back through scoreMod and the soft cap, whose scores are computed anew. Keys
 * without weight have no gradient, whatever comes back.
 */
export function modifyScoreGradients(
  frame: VariantAttendFrame,
  strip: Strip,
  index: i32,
  gradients: usize,
): void {
  const weights = stripTile(frame, strip, index);
  const r = stripRows(strip);
  const made = spareOf(frame, strip.scratch);
  scoreProduct(frame, strip, made);
  capScores(frame, made, r.rows, (r.columns + 7) & ~7);
  const before = scoresOf(strip.scratch);
  const bytes = (<usize>r.columns) << 2;
  const shown = before + <usize>r.rows * bytes;
  for (let i: usize = 0; i < <usize>r.rows; i++) {
    for (let j: usize = 0; j < bytes; j += 4) {
      const seen = load<f32>(weights + i * TILE_ROW + j) != 0;
      const score = seen ? load<f32>(made + i * TILE_ROW + j) : <f32>0;
      store<f32>(before + i * bytes + j, score);
    }
  }
  if (frame.modified) {
    pack(r, gradients, shown);
    call(before, changetype<usize>(r) | 1);
  }
  const cap = frame.softcap;
  for (let i: usize = 0; i < <usize>r.rows; i++) {
    for (let j: usize = 0; j < bytes; j += 4) {
      const at = gradients + i * TILE_ROW + j;
      let g: f32 = frame.modified ? load<f32>(shown + i * bytes + j) : load<f32>(at);
      if (cap > 0) {
        const t = load<f32>(before + i * bytes + j) / cap;
        g *= (1 - t) * (1 + t);
      }
      store<f32>(at, load<f32>(weights + i * TILE_ROW + j) != 0 ? g : 0);
    }
  }
}

function pack(r: Rows, tile: usize, target: usize): void {
  const bytes = (<usize>r.columns) << 2;
  for (let i: usize = 0; i < <usize>r.rows; i++) {
    memory.copy(target + i * bytes, tile + i * TILE_ROW, bytes);
  }
}

function unpack(r: Rows, numbers: usize, tile: usize): void {
  const bytes = (<usize>r.columns) << 2;
  for (let i: usize = 0; i < <usize>r.rows; i++) {
    memory.copy(tile + i * TILE_ROW, numbers + i * bytes, bytes);
  }
}
