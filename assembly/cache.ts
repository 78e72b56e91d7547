// The cache module: rows into pages and out of them, and the step by which attend finds them there.

import { PagesFrame } from "./cache/frame";
import { addInt8, scoreInt8 } from "./cache/integers";
import { locate } from "./cache/locate";
import { append, read, transform } from "./cache/rows";
import { CacheKernel } from "./kinds";

export { heapBase, layout, relaxedSimd } from "./module";

/** Where in the table the step stands; see attend/located.ts. */
export function locateStep(): i32 {
  return locate.index;
}

/** Those for keys and values of 8 bits, see cache/integers.ts. */
export function scoreStep(): i32 {
  return scoreInt8.index;
}

export function valueStep(): i32 {
  return addInt8.index;
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
