// Scores that a function of the caller's changes, on the way there and back. JavaScript is shown a tile without the gaps
// between its rows, n = rows · columns numbers:
//
//   before   [n] the scores as scoreMod is given them, kept until the gradients are there
//   beside   [n] behind it: the scores that scoreMod changes in place; then dS, which becomes that of `before`
//
// Steps of the tile, in the last bits of its address: 0 scoreMod, 1 its gradient.

import { Tile } from "../attend/tile";
import { TILE_ROW } from "../tiles";
import { Work } from "./work";

// @ts-ignore: decorator
@external("caller", "scoreMod")
declare function call(tile: usize, record: usize): void;

// @ts-ignore: decorator
@inline
function besideOf(w: Work): usize {
  return w.before + ((<usize>(w.rows * w.columns)) << 2);
}

/** scores ← scoreMod(scores) */
export function modifyScores(w: Work): void {
  pack(w, w.scores, w.before);
  pack(w, w.scores, besideOf(w));
  call(besideOf(w), changetype<usize>(w));
  const bytes = (<usize>w.columns) << 2;
  for (let i: usize = 0; i < <usize>w.rows; i++) {
    memory.copy(w.scores + i * TILE_ROW, besideOf(w) + i * bytes, bytes);
  }
}

/** dS of what scoreMod gave becomes that of what it was given; 0 for keys that are left out, whatever comes back. */
export function modifyGradients(w: Work): void {
  const bytes = (<usize>w.columns) << 2;
  const hidden = -(<f32>Infinity);
  for (let i: usize = 0; i < <usize>w.rows; i++) {
    const target = besideOf(w) + i * bytes;
    for (let j: usize = 0; j < bytes; j += 4) {
      const seen = load<f32>(w.scores + i * TILE_ROW + j) != hidden;
      store<f32>(target + j, seen ? load<f32>(w.gradients + i * TILE_ROW + j) : 0);
      // Nothing was computed there, and 0 · NaN would be a part of a sum.
      if (!seen) store<f32>(w.before + i * bytes + j, 0);
    }
  }
  call(w.before, changetype<usize>(w) | 1);
  for (let i: usize = 0; i < <usize>w.rows; i++) {
    const source = besideOf(w) + i * bytes;
    for (let j: usize = 0; j < bytes; j += 4) {
      const seen = load<f32>(w.scores + i * TILE_ROW + j) != hidden;
      const g: f32 = seen ? load<f32>(source + j) : 0;
      store<f32>(w.gradients + i * TILE_ROW + j, g);
      store<f32>(w.transposed + (((j >> 4) * w.panel) << 4) + (i << 4) + (j & 15), g);
    }
  }
}

function pack(tile: Tile, scores: usize, target: usize): void {
  const bytes = (<usize>tile.columns) << 2;
  for (let i: usize = 0; i < <usize>tile.rows; i++) {
    memory.copy(target + i * bytes, scores + i * TILE_ROW, bytes);
  }
}
