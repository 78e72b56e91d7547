// Dropout on the weights (Srivastava et al. 2014): each weight is dropped with probability p, the
// others are multiplied by 1/(1 − p). Nothing is stored: the weight of query i and key j of head h in
// batch b is dropped where word j mod 4 of philox(⌊j/4⌋, i, b·H + h, 0) under the key `seed` lies
// below p·2³², so that forward and backward, and any tiling, drop the same.

import { philox } from "../../random/philox";
import { KEYS } from "../../tiles";
import { AttendFrame } from "../frame";
import { Tile } from "../tile";

/**
 * Factors of `count` weights of row i of the tile from `column`, a multiple of 4, on; in whole
 * sixteens.
 */
export function dropoutFactors(
  frame: AttendFrame,
  tile: Tile,
  i: i32,
  column: i32,
  count: i32,
  factors: usize,
): void {
  const dropped = i32x4.splat(frame.dropped);
  const factor = f32x4.splat(frame.dropoutFactor);
  const matrix = tile.b * frame.heads + tile.h;
  let counter = column >> 2;
  const seed = ((<u64>frame.seedHigh) << 32) | (<u64>frame.seedLow);
  const end = factors + ((<usize>count) << 2);
  for (; factors < end; factors += 64) {
    philox(counter, tile.row + i, matrix, 0, seed, factors);
    counter += 4;
    for (let at = factors; at < factors + 64; at += 16) {
      v128.store(at, v128.and(factor, i32x4.ge_u(v128.load(at), dropped)));
    }
  }
}

/** The first `count` weights of row i of the tile by their factors; `block` is of KEYS floats. */
export function dropWeights(
  frame: AttendFrame,
  tile: Tile,
  i: i32,
  count: i32,
  weights: usize,
  block: usize,
): void {
  for (let from = 0; from < count; from += KEYS) {
    const some = min(count - from, KEYS);
    dropoutFactors(frame, tile, i, tile.column + from, some, block);
    for (let j: usize = 0; j < (<usize>some) << 2; j += 4) {
      store<f32>(weights + j, load<f32>(weights + j) * load<f32>(block + j));
    }
    weights += (<usize>KEYS) << 2;
  }
}
