// The training module: gradients of attend and of linear.

import { BackwardFrame } from "./backward/frame";
import { backwardRun, backwardScratchBytes } from "./backward/items";
import { backwardItems, backwardReady } from "./backward/order";
import { TrainingKernel } from "./kinds";
import { LinearFrame } from "./linear/frame";
import { sumRows, transposePacked } from "./linear/gradients";

export { heapBase, layout, relaxedSimd } from "./module";

/** The protocol of core.ts. */
export function scratchBytes(kernel: i32, frame: usize): f64 {
  if (kernel != TrainingKernel.backward) return 0;
  return backwardScratchBytes(changetype<BackwardFrame>(frame));
}

export function items(kernel: i32, frame: usize): f64 {
  return kernel == TrainingKernel.backward ? backwardItems(changetype<BackwardFrame>(frame)) : 1;
}

export function ready(kernel: i32, frame: usize, item: i32): i32 {
  return kernel == TrainingKernel.backward
    ? backwardReady(changetype<BackwardFrame>(frame), item)
    : 0;
}

export function run(kernel: i32, frame: usize, item: i32, thread: i32, from: i32): i32 {
  switch (kernel) {
    case TrainingKernel.backward:
      return backwardRun(changetype<BackwardFrame>(frame), item, thread, from);
    case TrainingKernel.transposePacked:
      transposePacked(changetype<LinearFrame>(frame));
      return 0;
    default:
      sumRows(changetype<LinearFrame>(frame));
      return 0;
  }
}
