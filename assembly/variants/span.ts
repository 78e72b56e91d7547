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

/** Logarithms that are kept, of the distances behind z. */
const LOGARITHMS: i32 = 128;

/** Of row i and key `column` + j. */
// @ts-ignore: decorator
@inline
function distance(tile: Tile, i: i32, j: i32): i32 {
  return abs<i32>(tile.position + i - tile.column - j);
}

/** Adds ln m to a tile of scores; `table` has room for LOGARITHMS float64. */
export function addSpan(frame: VariantAttendFrame, tile: Tile, scores: usize, table: usize): void {
  const ramp = <f64>frame.ramp;
  const reach = <f64>load<f32>(frame.spans + ((<usize>tile.h) << 2)) + ramp;
  const farthest = max(distance(tile, tile.rows - 1, 0), distance(tile, 0, tile.columns - 1));
  if (reach - <f64>farthest >= ramp) return;
  const first = <i32>(reach - ramp) + 1;
  for (let x = 0; x < LOGARITHMS && reach - <f64>(first + x) > 0; x++) {
    store<f64>(table + ((<usize>x) << 3), logarithm((reach - <f64>(first + x)) / ramp));
  }
  for (let i = 0; i < tile.rows; i++) {
    const row = scores + <usize>i * TILE_ROW;
    // Those that the row sees in full follow each other.
    let j = 0;
    while (j < tile.columns) {
      const x = distance(tile, i, j);
      if (reach - <f64>x >= ramp) break;
      fade(row + ((<usize>j) << 2), reach - <f64>x, ramp, x - first, table);
      j++;
    }
    for (let end = tile.columns - 1; end > j; end--) {
      const x = distance(tile, i, end);
      if (reach - <f64>x >= ramp) break;
      fade(row + ((<usize>end) << 2), reach - <f64>x, ramp, x - first, table);
    }
  }
}

/** Adds ln m to a score that is not seen in full, `behind` keys from the first of those. */
// @ts-ignore: decorator
@inline
function fade(at: usize, left: f64, ramp: f64, behind: i32, table: usize): void {
  if (!(left > 0)) {
    store<f32>(at, -(<f32>Infinity));
    return;
  }
  const kept = behind < LOGARITHMS;
  const ln = kept ? load<f64>(table + ((<usize>behind) << 3)) : logarithm(left / ramp);
  store<f32>(at, <f32>(<f64>load<f32>(at) + ln));
}

/** What a tile's gradients of scores give to that of z. */
export function spanGradient(frame: VariantAttendFrame, tile: Tile, gradients: usize): f64 {
  const ramp = <f64>frame.ramp;
  const reach = <f64>load<f32>(frame.spans + ((<usize>tile.h) << 2)) + ramp;
  let sum: f64 = 0;
  for (let i = 0; i < tile.rows; i++) {
    for (let j = 0; j < min(tile.columns, KEYS); j++) {
      const left = reach - <f64>distance(tile, i, j);
      if (!(left > 0 && left < ramp)) continue;
      const g = load<f32>(gradients + <usize>i * TILE_ROW + ((<usize>j) << 2));
      if (g != 0) sum += <f64>g / left;
    }
  }
  return sum;
}
