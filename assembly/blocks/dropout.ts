// result = input · factor + residual: an element is dropped (factor 0) with probability p, the others are
// multiplied by 1/(1 − p) (Srivastava et al. 2014).
//
// Element e is dropped where word e mod 4 of philox(⌊e/4⌋, stream, 0, 1) under the key `seed` lies below
// p·2³²: the last word tells these numbers from those of attention's weights (attend/scores/dropout.ts).
// [columns], end to end; an item is some of them, a multiple of sixteen.

import { philox } from "../random/philox";
import { DropoutFrame } from "./frame";
import { loadLanes, storeLanes } from "./lanes";
import { ITEM_ELEMENTS, partsOf } from "./parts";

/** Of the sixteen random words of a thread. */
const WORD_BYTES: usize = 64;

export function dropoutScratchBytes(frame: DropoutFrame): f64 {
  return <f64>frame.threads * <f64>WORD_BYTES;
}

export function dropoutItems(frame: DropoutFrame): i32 {
  return partsOf(frame.columns, ITEM_ELEMENTS);
}

export function dropoutRun(frame: DropoutFrame, item: i32, thread: i32): void {
  const seed = ((<u64>frame.seedHigh) << 32) | (<u64>frame.seedLow);
  const words = frame.scratch + <usize>thread * WORD_BYTES;
  const dropped = i32x4.splat(frame.dropped);
  const factor = f32x4.splat(frame.factor);
  const residual = frame.residual;
  const first = item * ITEM_ELEMENTS;
  const end = min(first + ITEM_ELEMENTS, frame.columns);
  for (let e = first; e < end; e += 4) {
    const word = (<usize>(e & 15)) << 2;
    if (word == 0) philox(e >> 2, frame.stream, 0, 1, seed, words);
    const at = (<usize>e) << 2;
    const kept = v128.and(factor, i32x4.ge_u(v128.load(words + word), dropped));
    let y = f32x4.mul(loadLanes(frame.input + at, end - e), kept);
    if (residual) y = f32x4.add(y, loadLanes(residual + at, end - e));
    storeLanes(frame.result + at, y, end - e);
  }
}
