// Dropout on the weights (Srivastava et al. 2014): each weight is dropped with probability p, the
// others are multiplied by 1/(1 − p). Nothing is stored: the weight of query i and key j of head h in
// batch b is dropped where word j mod 4 of philox(⌊j/4⌋, i, b·H + h, 0) under the key `seed` lies
// below p·2³², so that forward and backward, and any tiling, drop the same.

import { Slot } from "../frame";
import { philox } from "../random/philox";
import { number, size } from "../slots";
import { KEYS } from "../tiles";

/** Factors of `count` weights from `column`, a multiple of 4, on; in whole sixteens. */
export function dropoutRow(
  frame: usize,
  b: i32,
  h: i32,
  row: i32,
  column: i32,
  count: i32,
  factors: usize,
): void {
  const dropped = i32x4.splat(size(frame, Slot.dropped));
  const factor = f32x4.splat(number(frame, Slot.keptFactor));
  const matrix = b * size(frame, Slot.heads) + h;
  const low = size(frame, Slot.seedLow);
  const high = size(frame, Slot.seedHigh);
  let counter = column >> 2;
  const end = factors + ((<usize>count) << 2);
  for (; factors < end; factors += 64) {
    philox(counter, row, matrix, 0, low, high, factors);
    counter += 4;
    for (let at = factors; at < factors + 64; at += 16) {
      v128.store(at, v128.and(factor, i32x4.ge_u(v128.load(at), dropped)));
    }
  }
}

/** One row's weights by their factors; `block` has room for KEYS of them. */
export function dropWeights(
  frame: usize,
  b: i32,
  h: i32,
  row: i32,
  column: i32,
  count: i32,
  weights: usize,
  block: usize,
): void {
  for (let from = 0; from < count; from += KEYS) {
    const some = min(count - from, KEYS);
    dropoutRow(frame, b, h, row, column + from, some, block);
    for (let j: usize = 0; j < (<usize>some) << 2; j += 4) {
      store<f32>(weights + j, load<f32>(weights + j) * load<f32>(block + j));
    }
    weights += (<usize>KEYS) << 2;
  }
}
