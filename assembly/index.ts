// Every export, nothing else.

import { LAYOUT } from "./frame";

export { attendItem, attendItems, attendReady, attendScratchBytes } from "./attend/forward";
export { backwardItem, backwardItems, backwardScratchBytes } from "./attend/backward";
export {
  linearItem,
  linearItems,
  linearScratchBytes,
  packedLinearBytes,
  packLinear,
  sumRows,
  turnPacked,
} from "./linear";
export { rotate } from "./rotary";
export { mergeStates } from "./softmax/merge";
export { fusedMultiplyAdd } from "./simd/lanes";
export { cosine, exponential, logarithm, sine } from "./transcendental";

/** First byte that the kernels' own constants do not occupy. */
export function heapBase(): usize {
  return __heap_base;
}

/** 1 in the relaxed build. */
export function relaxedSimd(): i32 {
  return ASC_FEATURE_RELAXED_SIMD ? 1 : 0;
}

/** Which call frame this module was built with. */
export function frameLayout(): i32 {
  return LAYOUT;
}
