// The variants module: other kinds of attention.

import { VariantsKernel } from "./kinds";
import { causalConvItems, causalConvRun, causalConvScratchBytes } from "./variants/causal-conv";
import {
  causalConvBackwardItems,
  causalConvBackwardRun,
  causalConvBackwardScratchBytes,
} from "./variants/causal-conv-backward";
import { entmaxItems, entmaxRun, entmaxScratchBytes } from "./variants/entmax-rows";
import {
  CausalConvFrame,
  EntmaxFrame,
  LinearAttentionFrame,
  LocateFrame,
  MonotonicFrame,
  VariantAttendFrame,
  WeightedSumFrame,
} from "./variants/frame";
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
import { locateItems, locateRun, locateScratchBytes } from "./variants/locate";
import {
  locateBackwardItems,
  locateBackwardReady,
  locateBackwardRun,
  locateBackwardScratchBytes,
} from "./variants/locate-backward";
import { monotonicBackwardRun, monotonicRun, monotonicScratchBytes } from "./variants/monotonic";
import {
  backwardItems,
  backwardReady,
  backwardRun,
  backwardScratchBytes,
} from "./variants/strip-backward";
import { stripItems, stripReady, stripRun, stripScratchBytes } from "./variants/strip-attend";
import { weightedSumBackwardRun, weightedSumItems, weightedSumRun } from "./variants/weighted-sum";

export { heapBase, layout, relaxedSimd } from "./module";

/** The protocol of core.ts. */
export function scratchBytes(kernel: i32, frame: usize): f64 {
  switch (kernel) {
    case VariantsKernel.linearAttention:
    case VariantsKernel.linearBackward:
      return linearAttentionScratchBytes(changetype<LinearAttentionFrame>(frame));
    case VariantsKernel.causalConv:
      return causalConvScratchBytes(changetype<CausalConvFrame>(frame));
    case VariantsKernel.stripAttend:
      return stripScratchBytes(changetype<VariantAttendFrame>(frame));
    case VariantsKernel.stripBackward:
      return backwardScratchBytes(changetype<VariantAttendFrame>(frame));
    case VariantsKernel.entmax:
    case VariantsKernel.entmaxBackward:
      return entmaxScratchBytes(changetype<EntmaxFrame>(frame));
    case VariantsKernel.locate:
      return locateScratchBytes(changetype<LocateFrame>(frame));
    case VariantsKernel.locateBackward:
      return locateBackwardScratchBytes(changetype<LocateFrame>(frame));
    case VariantsKernel.causalConvBackward:
      return causalConvBackwardScratchBytes(changetype<CausalConvFrame>(frame));
    case VariantsKernel.monotonicBackward:
      return monotonicScratchBytes(changetype<MonotonicFrame>(frame), true);
    default:
      return 0;
  }
}

export function items(kernel: i32, frame: usize): f64 {
  switch (kernel) {
    case VariantsKernel.linearAttention:
      return linearAttentionItems(changetype<LinearAttentionFrame>(frame));
    case VariantsKernel.linearBackward:
      return linearBackwardItems(changetype<LinearAttentionFrame>(frame));
    case VariantsKernel.causalConv:
      return causalConvItems(changetype<CausalConvFrame>(frame));
    case VariantsKernel.stripAttend:
      return stripItems(changetype<VariantAttendFrame>(frame));
    case VariantsKernel.stripBackward:
      return backwardItems(changetype<VariantAttendFrame>(frame));
    case VariantsKernel.entmax:
    case VariantsKernel.entmaxBackward:
      return entmaxItems(changetype<EntmaxFrame>(frame));
    case VariantsKernel.locate:
      return locateItems(changetype<LocateFrame>(frame));
    case VariantsKernel.locateBackward:
      return locateBackwardItems(changetype<LocateFrame>(frame));
    case VariantsKernel.causalConvBackward:
      return causalConvBackwardItems(changetype<CausalConvFrame>(frame));
    case VariantsKernel.weightedSum:
      return weightedSumItems(changetype<WeightedSumFrame>(frame), false);
    case VariantsKernel.weightedSumBackward:
      return weightedSumItems(changetype<WeightedSumFrame>(frame), true);
    default:
      return <f64>changetype<MonotonicFrame>(frame).rows;
  }
}

export function ready(kernel: i32, frame: usize, item: i32): i32 {
  switch (kernel) {
    case VariantsKernel.linearAttention:
      return linearAttentionReady(changetype<LinearAttentionFrame>(frame), item);
    case VariantsKernel.linearBackward:
      return linearBackwardReady(changetype<LinearAttentionFrame>(frame), item);
    case VariantsKernel.stripAttend:
      return stripReady(changetype<VariantAttendFrame>(frame), item);
    case VariantsKernel.stripBackward:
      return backwardReady(changetype<VariantAttendFrame>(frame), item);
    case VariantsKernel.locateBackward:
      return locateBackwardReady(changetype<LocateFrame>(frame), item);
    default:
      return 0;
  }
}

export function run(kernel: i32, frame: usize, item: i32, thread: i32, from: i32): i32 {
  switch (kernel) {
    case VariantsKernel.linearAttention:
      return linearAttentionRun(changetype<LinearAttentionFrame>(frame), item, thread, from);
    case VariantsKernel.linearBackward:
      return linearBackwardRun(changetype<LinearAttentionFrame>(frame), item, thread, from);
    case VariantsKernel.stripAttend:
      return stripRun(changetype<VariantAttendFrame>(frame), item, thread, from);
    case VariantsKernel.stripBackward:
      return backwardRun(changetype<VariantAttendFrame>(frame), item, thread, from);
    case VariantsKernel.causalConv:
      causalConvRun(changetype<CausalConvFrame>(frame), item, thread);
      break;
    case VariantsKernel.entmax:
      entmaxRun(changetype<EntmaxFrame>(frame), item, thread, false);
      break;
    case VariantsKernel.entmaxBackward:
      entmaxRun(changetype<EntmaxFrame>(frame), item, thread, true);
      break;
    case VariantsKernel.locate:
      locateRun(changetype<LocateFrame>(frame), item, thread);
      break;
    case VariantsKernel.locateBackward:
      locateBackwardRun(changetype<LocateFrame>(frame), item);
      break;
    case VariantsKernel.causalConvBackward:
      causalConvBackwardRun(changetype<CausalConvFrame>(frame), item, thread);
      break;
    case VariantsKernel.monotonic:
      monotonicRun(changetype<MonotonicFrame>(frame), item);
      break;
    case VariantsKernel.monotonicBackward:
      monotonicBackwardRun(changetype<MonotonicFrame>(frame), item, thread);
      break;
    case VariantsKernel.weightedSum:
      weightedSumRun(changetype<WeightedSumFrame>(frame), item);
      break;
    default:
      weightedSumBackwardRun(changetype<WeightedSumFrame>(frame), item);
  }
  return 0;
}
