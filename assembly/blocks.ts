// The blocks module: what stands around attention in a transformer's block.

import {
  activateBackwardRun,
  activateItems,
  activateRun,
  activateScratchBytes,
} from "./blocks/activate";
import { dropoutItems, dropoutRun, dropoutScratchBytes } from "./blocks/dropout";
import {
  embeddingBackwardItems,
  embeddingBackwardRun,
  embeddingItems,
  embeddingRun,
} from "./blocks/embedding";
import {
  ActivateFrame,
  DropoutFrame,
  EmbeddingFrame,
  FusedFrame,
  LossFrame,
  NormFrame,
  SoftmaxFrame,
} from "./blocks/frame";
import { fusedRun, fusedScratchBytes } from "./blocks/fused";
import { lossItems, lossRun } from "./blocks/loss";
import { normRowItems, normRun } from "./blocks/norm";
import {
  normBackwardItems,
  normBackwardReady,
  normBackwardRun,
  normBackwardScratchBytes,
} from "./blocks/norm-backward";
import { rowScratchBytes, softmaxItems, softmaxRun } from "./blocks/softmax";
import { BlocksKernel } from "./kinds";
import { linearItems } from "./linear/linear";

export { heapBase, layout, relaxedSimd } from "./module";

/** The protocol of core.ts. */
export function scratchBytes(kernel: i32, frame: usize): f64 {
  switch (kernel) {
    case BlocksKernel.normBackward:
      return normBackwardScratchBytes(changetype<NormFrame>(frame));
    case BlocksKernel.softmax:
    case BlocksKernel.crossEntropy: {
      const call = changetype<SoftmaxFrame>(frame);
      return rowScratchBytes(call.threads, call.columns);
    }
    case BlocksKernel.activate:
    case BlocksKernel.activateBackward:
      return activateScratchBytes(changetype<ActivateFrame>(frame));
    case BlocksKernel.dropout:
      return dropoutScratchBytes(changetype<DropoutFrame>(frame));
    case BlocksKernel.fusedLinear:
      return fusedScratchBytes(changetype<FusedFrame>(frame));
    default:
      return 0;
  }
}

export function items(kernel: i32, frame: usize): f64 {
  switch (kernel) {
    case BlocksKernel.norm:
      return <f64>normRowItems(changetype<NormFrame>(frame));
    case BlocksKernel.normBackward:
      return <f64>normBackwardItems(changetype<NormFrame>(frame));
    case BlocksKernel.softmax:
    case BlocksKernel.softmaxBackward:
      return <f64>softmaxItems(changetype<SoftmaxFrame>(frame));
    case BlocksKernel.activate:
    case BlocksKernel.activateBackward:
      return <f64>activateItems(changetype<ActivateFrame>(frame));
    case BlocksKernel.embedding:
      return <f64>embeddingItems(changetype<EmbeddingFrame>(frame));
    case BlocksKernel.embeddingBackward:
      return <f64>embeddingBackwardItems(changetype<EmbeddingFrame>(frame));
    case BlocksKernel.crossEntropy:
      return <f64>lossItems(changetype<LossFrame>(frame));
    case BlocksKernel.dropout:
      return <f64>dropoutItems(changetype<DropoutFrame>(frame));
    default:
      return <f64>linearItems(changetype<FusedFrame>(frame));
  }
}

export function ready(kernel: i32, frame: usize, item: i32): i32 {
  return kernel == BlocksKernel.normBackward
    ? normBackwardReady(changetype<NormFrame>(frame), item)
    : 0;
}

export function run(kernel: i32, frame: usize, item: i32, thread: i32, from: i32): i32 {
  switch (kernel) {
    case BlocksKernel.norm:
      normRun(changetype<NormFrame>(frame), item);
      break;
    case BlocksKernel.normBackward:
      normBackwardRun(changetype<NormFrame>(frame), item);
      break;
    case BlocksKernel.softmax:
      softmaxRun(changetype<SoftmaxFrame>(frame), item, thread, false);
      break;
    case BlocksKernel.softmaxBackward:
      softmaxRun(changetype<SoftmaxFrame>(frame), item, thread, true);
      break;
    case BlocksKernel.activate:
      activateRun(changetype<ActivateFrame>(frame), item, thread);
      break;
    case BlocksKernel.activateBackward:
      activateBackwardRun(changetype<ActivateFrame>(frame), item, thread);
      break;
    case BlocksKernel.embedding:
      embeddingRun(changetype<EmbeddingFrame>(frame), item);
      break;
    case BlocksKernel.embeddingBackward:
      embeddingBackwardRun(changetype<EmbeddingFrame>(frame), item);
      break;
    case BlocksKernel.crossEntropy:
      lossRun(changetype<LossFrame>(frame), item, thread);
      break;
    case BlocksKernel.dropout:
      dropoutRun(changetype<DropoutFrame>(frame), item, thread);
      break;
    default:
      fusedRun(changetype<FusedFrame>(frame), item, thread);
  }
  return 0;
}
