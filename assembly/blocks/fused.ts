// linear with what follows it, while a block of the product is still in cache:
//
//   result = f(x·W + b) + residual,  or (x·V + c) · f(x·W + b) + residual     f as in activation.ts
//
// The products are linear's own, item by item (linear/linear.ts), so that their bits are. With a gate
// frame.packed is V and frame.gate W. Each thread has a frame of its own behind linear's scratch, for W.

import { LinearFrame } from "../linear/frame";
import { columnItems, itemColumns, linearRun, linearScratchBytes } from "../linear/linear";
import { LINEAR_ROWS } from "../tiles";
import { ACTIVATE_BYTES, activateAll, ownCall } from "./activate";
import { FusedFrame } from "./frame";

/** Bytes of linear's frame. */
const FRAME_BYTES: usize = 64;

const THREAD_BYTES: usize = FRAME_BYTES + ACTIVATE_BYTES;

export function fusedScratchBytes(frame: FusedFrame): f64 {
  return linearScratchBytes(frame) + <f64>frame.threads * <f64>THREAD_BYTES;
}

export function fusedRun(frame: FusedFrame, item: i32, thread: i32): void {
  const own = frame.scratch + <usize>linearScratchBytes(frame) + <usize>thread * THREAD_BYTES;
  linearRun(frame, item, thread);
  if (frame.gate) linearRun(gateFrame(frame, own), item, thread);
  const start = (item / columnItems(frame)) * LINEAR_ROWS;
  const first = (item % columnItems(frame)) * itemColumns(frame);
  const columns = min(itemColumns(frame), frame.columns - first);
  const end = min(start + LINEAR_ROWS, frame.rows);
  const row = ownCall(own + FRAME_BYTES);
  row.activation = frame.activation;
  row.columns = columns;
  for (let i = start; i < end; i++) {
    const at = (<usize>i * <usize>frame.columns + <usize>first) << 2;
    row.input = frame.result + at;
    row.gate = frame.gate ? frame.gateResult + at : 0;
    row.residual = frame.residual ? frame.residual + at : 0;
    row.result = row.input;
    activateAll(row);
  }
}

/** linear's frame for the gate's product, at `at`. */
function gateFrame(frame: FusedFrame, at: usize): LinearFrame {
  memory.copy(at, changetype<usize>(frame), offsetof<LinearFrame>());
  const gate = changetype<LinearFrame>(at);
  gate.packed = frame.gate;
  gate.result = frame.gateResult;
  return gate;
}
