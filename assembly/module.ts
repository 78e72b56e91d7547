// What every module says of itself.

import { LAYOUT } from "../build/layout";

/** First byte that this module's constants do not occupy. */
export function heapBase(): usize {
  return __heap_base;
}

/** A digest of the frames' layouts this module was built with; see scripts/frames.mjs. */
export function layout(): i32 {
  return LAYOUT;
}

/** Not 0 in the relaxed build: a number that nothing else returns, for scripts/variants.mjs to find. */
export function relaxedSimd(): i32 {
  return 0x52;
}
