// The cache module: rows into pages and out of them, and the step by which attend finds them there.

import { PagesFrame } from "./cache/frame";
import { locate } from "./cache/locate";
import { append, read, transform } from "./cache/rows";
import { CacheKernel } from "./kinds";

export { heapBase, layout, relaxedSimd } from "./module";

/** Where in the table the step stands; see attend/located.ts. */
export function locateStep(): i32 {
  return locate.index;
}

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
  if (kernel == CacheKernel.append) append(changetype<PagesFrame>(frame));
  else if (kernel == CacheKernel.read) read(changetype<PagesFrame>(frame));
  else transform(changetype<PagesFrame>(frame));
  return 0;
}
