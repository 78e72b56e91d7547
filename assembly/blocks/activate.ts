// result = f(input), or input · f(gate) where there is a gate (Shazeer 2020, "GLU variants"), plus a residual where
// there is one; and back, without:
//
//   dinput = dy · f′(input)        dinput = dy · f(gate),  dgate = dy · input · f′(gate)
//
// f as in activation.ts. [columns], end to end; an item is some of them, and sixteen are worked on at once. A thread has
// a call of its own in its scratch, and behind it room for three times sixteen.

import { activateSixteen, exponentials, slopesSixteen } from "./activation";
import { ActivateFrame } from "./frame";
import { loadLanes, storeLanes } from "./lanes";
import { ITEM_ELEMENTS, partsOf } from "./parts";

/** Bytes of sixteen floats. */
const SIXTEEN: usize = 64;

/** Bytes of a thread's own call, with the room behind it: exponentials, f, and the last x. */
export const ACTIVATE_BYTES: usize = 4 * SIXTEEN;

export function activateScratchBytes(frame: ActivateFrame): f64 {
  return <f64>frame.threads * <f64>ACTIVATE_BYTES;
}

export function activateItems(frame: ActivateFrame): i32 {
  return partsOf(frame.columns, ITEM_ELEMENTS);
}

/** A call at `at`, of ACTIVATE_BYTES, whose addresses are not set yet. */
// @ts-ignore: decorator
@inline
export function ownCall(at: usize): ActivateFrame {
  const own = changetype<ActivateFrame>(at);
  own.scratch = at + SIXTEEN;
  return own;
}

/** The elements of an item as a call of their own. */
function itemCall(frame: ActivateFrame, item: i32, thread: i32): ActivateFrame {
  const own = ownCall(frame.scratch + <usize>thread * ACTIVATE_BYTES);
  const first = item * ITEM_ELEMENTS;
  const at = (<usize>first) << 2;
  own.columns = min(ITEM_ELEMENTS, frame.columns - first);
  own.activation = frame.activation;
  own.input = frame.input + at;
  own.gate = frame.gate ? frame.gate + at : 0;
  own.residual = frame.residual ? frame.residual + at : 0;
  own.result = frame.result + at;
  own.outputGradient = frame.outputGradient + at;
  own.gateGradient = frame.gateGradient + at;
  return own;
}

export function activateRun(frame: ActivateFrame, item: i32, thread: i32): void {
  activateAll(itemCall(frame, item, thread));
}

/** All elements of a thread's own call. */
export function activateAll(own: ActivateFrame): void {
  const kind = own.activation;
  const e = own.scratch;
  const plain = !own.gate && !own.residual;
  let at: usize = 0;
  for (let left = own.columns; left > 0; left -= 16) {
    const x = sixteenOf(own, at, left);
    exponentials(kind, x, e);
    if (plain && left >= 16) activateSixteen(kind, x, e, own.result + at);
    else {
      activateSixteen(kind, x, e, e + SIXTEEN);
      finish(own, at, min(left, 16));
    }
    at += SIXTEEN;
  }
}

/** Where the activation's next sixteen x lie: the last, of which there may be fewer, in the scratch. */
// @ts-ignore: decorator
@inline
function sixteenOf(own: ActivateFrame, at: usize, left: i32): usize {
  const x = (own.gate ? own.gate : own.input) + at;
  if (left >= 16) return x;
  const room = own.scratch + 2 * SIXTEEN;
  memory.copy(room, x, (<usize>left) << 2);
  return room;
}

/** f in the scratch, times the input where a gate was activated, plus the residual. */
function finish(own: ActivateFrame, at: usize, count: i32): void {
  const gate = own.gate;
  const residual = own.residual;
  let source = own.scratch + SIXTEEN;
  for (let left = count; left > 0; left -= 4) {
    let y = v128.load(source);
    if (gate) y = f32x4.mul(loadLanes(own.input + at, left), y);
    if (residual) y = f32x4.add(y, loadLanes(residual + at, left));
    storeLanes(own.result + at, y, left);
    source += 16;
    at += 16;
  }
}

export function activateBackwardRun(frame: ActivateFrame, item: i32, thread: i32): void {
  const own = itemCall(frame, item, thread);
  const kind = own.activation;
  const e = own.scratch;
  let at: usize = 0;
  for (let left = own.columns; left > 0; left -= 16) {
    const x = sixteenOf(own, at, left);
    exponentials(kind, x, e);
    if (own.gate) activateSixteen(kind, x, e, e + SIXTEEN);
    slopesSixteen(kind, x, e, e);
    finishBackward(own, at, min(left, 16));
    at += SIXTEEN;
  }
}

/** From f′, with a gate also f, in the scratch. */
function finishBackward(own: ActivateFrame, at: usize, count: i32): void {
  const gate = own.gate;
  let source = own.scratch;
  for (let left = count; left > 0; left -= 4) {
    const dy = loadLanes(own.outputGradient + at, left);
    if (gate) {
      const x = loadLanes(own.input + at, left);
      storeLanes(own.result + at, f32x4.mul(dy, v128.load(source, SIXTEEN)), left);
      const slope = f32x4.mul(f32x4.mul(dy, x), v128.load(source));
      storeLanes(own.gateGradient + at, slope, left);
    } else storeLanes(own.result + at, f32x4.mul(dy, v128.load(source)), left);
    source += 16;
    at += 16;
  }
}
