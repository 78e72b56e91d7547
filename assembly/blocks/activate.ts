// result = f(input), or input · f(gate) where there is a gate (Shazeer 2020, "GLU variants"), plus a residual where
// there is one; and back, without:
//
//   dinput = dy · f′(input)        dinput = dy · f(gate),  dgate = dy · input · f′(gate)
//
// f as in activation.ts. [columns], end to end; an item is some of them.

import { ActivationKind } from "../kinds";
import {
  gelu,
  geluSlope,
  geluTanh,
  geluTanhSlope,
  relu,
  reluSlope,
  silu,
  siluSlope,
} from "./activation";
import { ActivateFrame } from "./frame";
import { loadLanes, storeLanes } from "./lanes";
import { ITEM_ELEMENTS, partsOf } from "./parts";

function activation(kind: i32, x: v128): v128 {
  switch (kind) {
    case ActivationKind.relu:
      return relu(x);
    case ActivationKind.gelu:
      return gelu(x);
    case ActivationKind.geluTanh:
      return geluTanh(x);
    case ActivationKind.silu:
      return silu(x);
    default:
      return x;
  }
}

function derivative(kind: i32, x: v128): v128 {
  switch (kind) {
    case ActivationKind.relu:
      return reluSlope(x);
    case ActivationKind.gelu:
      return geluSlope(x);
    case ActivationKind.geluTanh:
      return geluTanhSlope(x);
    case ActivationKind.silu:
      return siluSlope(x);
    default:
      return f32x4.splat(1);
  }
}

/** target = f(input) or input · f(gate), plus a residual; an address of 0 for what there is not. */
export function activateRow(
  kind: i32,
  input: usize,
  gate: usize,
  residual: usize,
  target: usize,
  count: i32,
): void {
  let at: usize = 0;
  for (let left = count; left > 0; left -= 4) {
    const x = loadLanes(input + at, left);
    let y = gate ? f32x4.mul(x, activation(kind, loadLanes(gate + at, left))) : activation(kind, x);
    if (residual) y = f32x4.add(y, loadLanes(residual + at, left));
    storeLanes(target + at, y, left);
    at += 16;
  }
}

export function activateItems(frame: ActivateFrame): i32 {
  return partsOf(frame.columns, ITEM_ELEMENTS);
}

export function activateRun(frame: ActivateFrame, item: i32): void {
  const first = item * ITEM_ELEMENTS;
  const at = (<usize>first) << 2;
  const count = min(ITEM_ELEMENTS, frame.columns - first);
  const gate = frame.gate ? frame.gate + at : 0;
  const residual = frame.residual ? frame.residual + at : 0;
  activateRow(frame.activation, frame.input + at, gate, residual, frame.result + at, count);
}

export function activateBackwardRun(frame: ActivateFrame, item: i32): void {
  const kind = frame.activation;
  const gate = frame.gate;
  const first = item * ITEM_ELEMENTS;
  let at = (<usize>first) << 2;
  for (let left = min(ITEM_ELEMENTS, frame.columns - first); left > 0; left -= 4) {
    const x = loadLanes(frame.input + at, left);
    const dy = loadLanes(frame.outputGradient + at, left);
    if (gate) {
      const g = loadLanes(gate + at, left);
      storeLanes(frame.result + at, f32x4.mul(dy, activation(kind, g)), left);
      const slope = f32x4.mul(f32x4.mul(dy, x), derivative(kind, g));
      storeLanes(frame.gateGradient + at, slope, left);
    } else {
      storeLanes(frame.result + at, f32x4.mul(dy, derivative(kind, x)), left);
    }
    at += 16;
  }
}
