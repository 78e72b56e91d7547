// The core module: attend, linear and the merging of states, by one protocol for all operations.

import { AttendFrame } from "./attend/frame";
import { attendItems, attendReady, attendRun, attendScratchBytes } from "./attend/items";
import { CoreKernel } from "./kinds";
import { LinearFrame } from "./linear/frame";
import { linearItems, linearRun, linearScratchBytes } from "./linear/linear";
import { packLinear } from "./linear/pack";
import { MergeFrame, SpansFrame } from "./merge/frame";
import { mergeStates } from "./merge/merge";
import { mergeSpans } from "./merge/spans";

export { packedLinearBytes } from "./linear/pack";
export { heapBase, layout, relaxedSimd } from "./module";
export { fusedMultiplyAdd } from "./simd/lanes";

/** Bytes of the frame's scratch; a float64, since it may be more than linear memory can hold. */
export function scratchBytes(kernel: i32, frame: usize): f64 {
  if (kernel == CoreKernel.attend) return attendScratchBytes(changetype<AttendFrame>(frame));
  if (kernel == CoreKernel.linear) return linearScratchBytes(changetype<LinearFrame>(frame));
  return 0;
}

/** Items that threads share. */
export function items(kernel: i32, frame: usize): f64 {
  if (kernel == CoreKernel.attend) return attendItems(changetype<AttendFrame>(frame));
  if (kernel == CoreKernel.linear) return <f64>linearItems(changetype<LinearFrame>(frame));
  return 1;
}

/** How many of the first items have to be done before `item` begins. */
export function ready(kernel: i32, frame: usize, item: i32): i32 {
  return kernel == CoreKernel.attend ? attendReady(changetype<AttendFrame>(frame), item) : 0;
}

/** Some milliseconds of an item, from 0 or where the run before came to; 0 once it is done. */
export function run(kernel: i32, frame: usize, item: i32, thread: i32, from: i32): i32 {
  switch (kernel) {
    case CoreKernel.attend:
      return attendRun(changetype<AttendFrame>(frame), item, thread, from);
    case CoreKernel.linear:
      linearRun(changetype<LinearFrame>(frame), item, thread);
      return 0;
    case CoreKernel.packLinear:
      packLinear(changetype<LinearFrame>(frame));
      return 0;
    case CoreKernel.mergeSpans:
      mergeSpans(changetype<SpansFrame>(frame));
      return 0;
    default:
      mergeStates(changetype<MergeFrame>(frame));
      return 0;
  }
}
