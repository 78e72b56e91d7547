// A convolution of each channel over the tokens before, with what was before them as state (ONNX
// CausalConvWithState-27):
//
//   y[t] = activation(bias + Σ_k weight[k] · x[t − K + 1 + k])
//
// x is the state [K − 1] and behind it the input [length]; the state after it is its last K − 1. [batch, channels,
// length], end to end. Sums go over k in order: how a sequence is cut changes no bit. An item is some rows.

import { silu } from "../blocks/activation";
import { loadLanes, storeLanes } from "../blocks/lanes";
import { itemRows, partsOf } from "../blocks/parts";
import { madd } from "../simd/lanes";
import { CausalConvFrame } from "./frame";

// @ts-ignore: decorator
@inline
export function rowLength(frame: CausalConvFrame): i32 {
  return frame.length + frame.kernelSize - 1;
}

/** A row with its state in front, of each thread. */
export function causalConvScratchBytes(frame: CausalConvFrame): f64 {
  return <f64>frame.threads * <f64>(rowLength(frame) + 4) * 4;
}

export function causalConvItems(frame: CausalConvFrame): f64 {
  return <f64>partsOf(frame.batch * frame.channels, itemRows(rowLength(frame)));
}

export function causalConvRun(frame: CausalConvFrame, item: i32, thread: i32): void {
  const length = rowLength(frame);
  const row = frame.scratch + <usize>thread * ((<usize>(length + 4)) << 2);
  const size = itemRows(length);
  const end = min((item + 1) * size, frame.batch * frame.channels);
  const past = (<usize>(frame.kernelSize - 1)) << 2;
  const bytes = (<usize>frame.length) << 2;
  for (let i: usize = item * size; i < <usize>end; i++) {
    copyRow(frame, i, row);
    convolve(frame, row, <i32>(i % <usize>frame.channels), frame.output + i * bytes);
    memory.copy(frame.finalState + i * past, row + bytes, past);
  }
}

/** The state of row i, and its input behind it. */
export function copyRow(frame: CausalConvFrame, i: usize, row: usize): void {
  const past = (<usize>(frame.kernelSize - 1)) << 2;
  const bytes = (<usize>frame.length) << 2;
  if (frame.state) memory.copy(row, frame.state + i * past, past);
  else memory.fill(row, 0, past);
  memory.copy(row + past, frame.input + i * bytes, bytes);
}

/** Four numbers before the activation, of which `left` are there. */
// @ts-ignore: decorator
@inline
export function convolved(frame: CausalConvFrame, row: usize, channel: i32, left: i32): v128 {
  const weight = frame.weight + ((<usize>(channel * frame.kernelSize)) << 2);
  let y = f32x4.splat(frame.bias ? load<f32>(frame.bias + ((<usize>channel) << 2)) : <f32>0);
  for (let k: usize = 0; k < <usize>frame.kernelSize; k++) {
    y = madd(v128.load32_splat(weight + (k << 2)), loadLanes(row + (k << 2), left), y);
  }
  return y;
}

function convolve(frame: CausalConvFrame, row: usize, channel: i32, target: usize): void {
  let at: usize = 0;
  for (let left = frame.length; left > 0; left -= 4) {
    const y = convolved(frame, row + at, channel, left);
    storeLanes(target + at, frame.silu ? silu(y) : y, left);
    at += 16;
  }
}
