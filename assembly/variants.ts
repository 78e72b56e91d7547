// The variants module: other kinds of attention.

import { VariantsKernel } from "./kinds";
import { causalConvItems, causalConvRun, causalConvScratchBytes } from "./variants/causal-conv";
import { CausalConvFrame, LinearAttentionFrame } from "./variants/frame";
import {
  linearAttentionItems,
  linearAttentionReady,
  linearAttentionRun,
  linearAttentionScratchBytes,
} from "./variants/linear-attention";

export { heapBase, layout, relaxedSimd } from "./module";

/** The protocol of core.ts. */
export function scratchBytes(kernel: i32, frame: usize): f64 {
  if (kernel == VariantsKernel.causalConv) {
    return causalConvScratchBytes(changetype<CausalConvFrame>(frame));
  }
  return linearAttentionScratchBytes(changetype<LinearAttentionFrame>(frame));
}

export function items(kernel: i32, frame: usize): f64 {
  if (kernel == VariantsKernel.causalConv)
    return causalConvItems(changetype<CausalConvFrame>(frame));
  return linearAttentionItems(changetype<LinearAttentionFrame>(frame));
}

export function ready(kernel: i32, frame: usize, item: i32): i32 {
  if (kernel == VariantsKernel.causalConv) return 0;
  return linearAttentionReady(changetype<LinearAttentionFrame>(frame), item);
}

export function run(kernel: i32, frame: usize, item: i32, thread: i32, from: i32): i32 {
  if (kernel == VariantsKernel.causalConv) {
    causalConvRun(changetype<CausalConvFrame>(frame), item, thread);
    return 0;
  }
  return linearAttentionRun(changetype<LinearAttentionFrame>(frame), item, thread, from);
}
