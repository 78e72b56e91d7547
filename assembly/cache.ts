// The cache module: rows into pages and out of them, the step by which attend finds them there, and attend
// over those of few bits.

import { AttendFrame } from "./attend/frame";
import { storedItems, storedReady, storedRun, storedScratchBytes } from "./cache/attend";
import { PagesFrame } from "./cache/frame";
import { locate } from "./cache/locate";
import { append, read } from "./cache/rows";
import { CacheKernel } from "./kinds";
import { SpansFrame } from "./merge/frame";
import { mergeSpans } from "./merge/spans";

export { heapBase, layout, relaxedSimd } from "./module";

/** Where in the table the step stands; see attend/located.ts. */
export function locateStep(): i32 {
  return locate.index;
}

/** The protocol of core.ts. */
export function scratchBytes(kernel: i32, frame: usize): f64 {
  return kernel == CacheKernel.attend ? storedScratchBytes(changetype<AttendFrame>(frame)) : 0;
}

export function items(kernel: i32, frame: usize): f64 {
  return kernel == CacheKernel.attend ? storedItems(changetype<AttendFrame>(frame)) : 1;
}

export function ready(kernel: i32, frame: usize, item: i32): i32 {
  return kernel == CacheKernel.attend ? storedReady(changetype<AttendFrame>(frame), item) : 0;
}

export function run(kernel: i32, frame: usize, item: i32, thread: i32, from: i32): i32 {
  if (kernel == CacheKernel.attend) {
    return storedRun(changetype<AttendFrame>(frame), item, thread, from);
  }
  if (kernel == CacheKernel.append) append(changetype<PagesFrame>(frame));
  else if (kernel == CacheKernel.mergeSpans) mergeSpans(changetype<SpansFrame>(frame));
  else read(changetype<PagesFrame>(frame));
  return 0;
}
