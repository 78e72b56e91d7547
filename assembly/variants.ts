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
import {
  linearBackwardItems,
  linearBackwardReady,
  linearBackwardRun,
} from "./variants/linear-backward";

export { heapBase, layout, relaxedSimd } from "./module";

/** The protocol of core.ts. */
export function scratchBytes(kernel: i32, frame: usize): f64 {
  switch (kernel) {
    case VariantsKernel.causalConv:
      return causalConvScratchBytes(changetype<CausalConvFrame>(frame));
    default:
      return linearAttentionScratchBytes(changetype<LinearAttentionFrame>(frame));
  }
}

export function items(kernel: i32, frame: usize): f64 {
  switch (kernel) {
    case VariantsKernel.causalConv:
      return causalConvItems(changetype<CausalConvFrame>(frame));
    case VariantsKernel.linearBackward:
      return linearBackwardItems(changetype<LinearAttentionFrame>(frame));
    default:
      return linearAttentionItems(changetype<LinearAttentionFrame>(frame));
  }
}

export function ready(kernel: i32, frame: usize, item: i32): i32 {
  switch (kernel) {
    case VariantsKernel.linearAttention:
      return linearAttentionReady(changetype<LinearAttentionFrame>(frame), item);
    case VariantsKernel.linearBackward:
      return linearBackwardReady(changetype<LinearAttentionFrame>(frame), item);
    default:
      return 0;
  }
}

export function run(kernel: i32, frame: usize, item: i32, thread: i32, from: i32): i32 {
  switch (kernel) {
    case VariantsKernel.causalConv:
      causalConvRun(changetype<CausalConvFrame>(frame), item, thread);
      return 0;
    case VariantsKernel.linearBackward:
      return linearBackwardRun(changetype<LinearAttentionFrame>(frame), item, thread, from);
    default:
      return linearAttentionRun(changetype<LinearAttentionFrame>(frame), item, thread, from);
  }
}
