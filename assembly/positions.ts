// The positions module: rotary embeddings, and the transcendentals that tables of positions need.

import { RotaryFrame } from "./rotary/frame";
import { rotate } from "./rotary/rotary";

export { heapBase, layout, relaxedSimd } from "./module";
export { cosine, exponential, logarithm, sine } from "./transcendental";

/** The protocol of core.ts. */
export function scratchBytes(kernel: i32, frame: usize): f64 {
  return 0;
}

export function items(kernel: i32, frame: usize): f64 {
  return 1;
}

export function ready(kernel: i32, frame: usize, item: i32): i32 {
  return 0;
}

export function run(kernel: i32, frame: usize, item: i32, thread: i32, from: i32): i32 {
  rotate(changetype<RotaryFrame>(frame));
  return 0;
}
