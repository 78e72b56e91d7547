// linear with what follows it, while a block of the product is still in cache:
//
//   result = f(x·W + b) + residual,  or (x·V + c) · f(x·W + b) + residual     f as in activation.ts
//
// The products are linear's own, item by item (linear/linear.ts), so that their bits are. With a gate
// frame.packed is V and frame.gate W. Each thread has a frame of its own behind linear's scratch, for W.

import { LinearFrame } from "../linear/frame";
import { columnItems, itemColumns, linearRun, linearScratchBytes } from "../linear/linear";
import { LINEAR_ROWS } from "../tiles";
import { activateRow } from "./activate";
import { FusedFrame } from "./frame";

/** Bytes of a thread's frame. */
const FRAME_BYTES: usize = 64;

export function fusedScratchBytes(frame: FusedFrame): f64 {
  return linearScratchBytes(frame) + <f64>frame.threads * <f64>FRAME_BYTES;
}

export function fusedRun(frame: FusedFrame, item: i32, thread: i32): void {
  linearRun(frame, item, thread);
  if (frame.gate) linearRun(gateFrame(frame, thread), item, thread);
  const start = (item / columnItems(frame)) * LINEAR_ROWS;
  const first = (item % columnItems(frame)) * itemColumns(frame);
  const columns = min(itemColumns(frame), frame.columns - first);
  const end = min(start + LINEAR_ROWS, frame.rows);
  for (let i = start; i < end; i++) {
    const at = (<usize>i * <usize>frame.columns + <usize>first) << 2;
    const gate = frame.gate ? frame.gateResult + at : 0;
    const residual = frame.residual ? frame.residual + at : 0;
    const target = frame.result + at;
    activateRow(frame.activation, target, gate, residual, target, columns);
  }
}

/** linear's frame for the gate's product. */
function gateFrame(frame: FusedFrame, thread: i32): LinearFrame {
  const at = frame.scratch + <usize>linearScratchBytes(frame) + <usize>thread * FRAME_BYTES;
  memory.copy(at, changetype<usize>(frame), offsetof<LinearFrame>());
  const gate = changetype<LinearFrame>(at);
  gate.packed = frame.gate;
  gate.result = frame.gateResult;
  return gate;
}
