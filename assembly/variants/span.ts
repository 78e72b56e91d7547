// Adaptive spans (Sukhbaatar et al. 2019): weights of keys at a distance x are multiplied by m before they are normalised
//
//   m = clamp((R + z − x)/R, 0, 1)
//
// with z the head's span and R the ramp, both in keys: ln m is added to the scores, and keys from R + z on are left out.
// Its gradient is that of the scores times 1/(R + z − x) where 0 < m < 1.

import { Tile } from "../attend/tile";
import { KEYS, TILE_ROW } from "../tiles";
import { logarithm } from "../transcendental";
import { VariantAttendFrame } from "./frame";

/** Keys that a head may see on each side of its position. */
export function spanOf(frame: VariantAttendFrame, h: i32): i32 {
  const reach = <f64>load<f32>(frame.spans + ((<usize>h) << 2)) + <f64>frame.ramp;
  return <i32>min<f64>(Math.ceil(reach), <f64>(1 << 30));
}

/** R + z − x of row i and key `column` + j. */
// @ts-ignore: decorator
@inline
function rest(reach: f64, tile: Tile, i: i32, j: i32): f64 {
  return reach - <f64>abs<i32>(tile.position + i - tile.column - j);
}

/** Adds ln m to a tile of scores. */
export function addSpan(frame: VariantAttendFrame, tile: Tile, scores: usize): void {
  const ramp = <f64>frame.ramp;
  const reach = <f64>load<f32>(frame.spans + ((<usize>tile.h) << 2)) + ramp;
  for (let i = 0; i < tile.rows; i++) {
    const row = scores + <usize>i * TILE_ROW;
    // Those that the row sees in full follow each other.
    let j = 0;
    while (j < tile.columns && fade(row, j, rest(reach, tile, i, j), ramp)) j++;
    let end = tile.columns - 1;
    while (end > j && fade(row, end, rest(reach, tile, i, end), ramp)) end--;
  }
}

/** Adds ln m to a score; false where it is seen in full. */
// @ts-ignore: decorator
@inline
function fade(row: usize, j: i32, left: f64, ramp: f64): bool {
  if (left >= ramp) return false;
  const at = row + ((<usize>j) << 2);
  if (left > 0) store<f32>(at, <f32>(<f64>load<f32>(at) + logarithm(left / ramp)));
  else store<f32>(at, -(<f32>Infinity));
  return true;
}

/** What a tile's gradients of scores give to that of z. */
export function spanGradient(frame: VariantAttendFrame, tile: Tile, gradients: usize): f64 {
  const ramp = <f64>frame.ramp;
  const reach = <f64>load<f32>(frame.spans + ((<usize>tile.h) << 2)) + ramp;
  let sum: f64 = 0;
  for (let i = 0; i < tile.rows; i++) {
    for (let j = 0; j < min(tile.columns, KEYS); j++) {
      const left = rest(reach, tile, i, j);
      if (!(left > 0 && left < ramp)) continue;
      const g = load<f32>(gradients + <usize>i * TILE_ROW + ((<usize>j) << 2));
      if (g != 0) sum += <f64>g / left;
    }
  }
  return sum;
}
