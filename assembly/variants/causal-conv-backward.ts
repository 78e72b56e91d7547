// Gradients of causal-conv.ts. With z before the activation, dz = dy · activation′(z), and x the state and behind it
// the input:
//
//   dx[j] = Σ_k weight[k] · dz[j − k]     dweight[k] = Σ dz[t] · x[t + k]     dbias = Σ dz
//
// the sums over t of one batch after the other. What reaches the state after the last token is added to the last
// K − 1 of dx, whose first K − 1 are of the state before the first. An item is some channels, of all batches.

import { siluSlope } from "../blocks/activation";
import { loadLanes, storeLanes } from "../blocks/lanes";
import { itemRows, partsOf } from "../blocks/parts";
import { madd, sumLanes } from "../simd/lanes";
import { convolved, copyRow, rowLength } from "./causal-conv";
import { CausalConvFrame } from "./frame";

/** Rows of each thread: x, dz with K − 1 zeros on both sides, dx. */
const ROWS: i32 = 3;

// @ts-ignore: decorator
@inline
function rowBytes(frame: CausalConvFrame): usize {
  return (<usize>(rowLength(frame) + frame.kernelSize + 4)) << 2;
}

export function causalConvBackwardScratchBytes(frame: CausalConvFrame): f64 {
  return <f64>frame.threads * <f64>(<usize>ROWS * rowBytes(frame));
}

// @ts-ignore: decorator
@inline
function itemChannels(frame: CausalConvFrame): i32 {
  return itemRows(max(rowLength(frame), 1) * max(frame.batch, 1));
}

export function causalConvBackwardItems(frame: CausalConvFrame): f64 {
  return <f64>partsOf(frame.channels, itemChannels(frame));
}

export function causalConvBackwardRun(frame: CausalConvFrame, item: i32, thread: i32): void {
  const size = itemChannels(frame);
  const bytes = rowBytes(frame);
  const row = frame.scratch + <usize>(thread * ROWS) * bytes;
  for (let c = item * size; c < min((item + 1) * size, frame.channels); c++) {
    const kernel = (<usize>(c * frame.kernelSize)) << 2;
    memory.fill(frame.weightGradient + kernel, 0, (<usize>frame.kernelSize) << 2);
    if (frame.biasGradient) store<f32>(frame.biasGradient + ((<usize>c) << 2), 0);
    for (let b = 0; b < frame.batch; b++) {
      const i = <usize>(b * frame.channels + c);
      copyRow(frame, i, row);
      slopes(frame, i, row, row + bytes);
      inputRow(frame, i, row + bytes, row + 2 * bytes);
      addWeight(frame, c, row, row + bytes);
    }
  }
}

/** dz of row i, with zeros around it. */
function slopes(frame: CausalConvFrame, i: usize, row: usize, target: usize): void {
  memory.fill(target, 0, rowBytes(frame));
  const first = target + ((<usize>(frame.kernelSize - 1)) << 2);
  const gradient = frame.outputGradient + ((i * <usize>frame.length) << 2);
  const channel = <i32>(i % <usize>frame.channels);
  let at: usize = 0;
  for (let left = frame.length; left > 0; left -= 4) {
    let dz = loadLanes(gradient + at, left);
    if (frame.silu) dz = f32x4.mul(dz, siluSlope(convolved(frame, row + at, channel, left)));
    storeLanes(first + at, dz, left);
    at += 16;
  }
}

/** dx of row i. */
function inputRow(frame: CausalConvFrame, i: usize, slopes: usize, target: usize): void {
  const past = (<usize>(frame.kernelSize - 1)) << 2;
  const bytes = (<usize>frame.length) << 2;
  const weight = frame.weight + (((i % <usize>frame.channels) * <usize>frame.kernelSize) << 2);
  let at: usize = 0;
  for (let left = rowLength(frame); left > 0; left -= 4) {
    let sum = f32x4.splat(0);
    for (let k: usize = 0; k <= past; k += 4) {
      sum = madd(v128.load32_splat(weight + k), loadLanes(slopes + past + at - k, left), sum);
    }
    storeLanes(target + at, sum, left);
    at += 16;
  }
  if (frame.finalStateGradient) {
    const reaching = frame.finalStateGradient + i * past;
    for (let k: usize = 0; k < past; k += 4) {
      const last = target + bytes + k;
      store<f32>(last, load<f32>(last) + load<f32>(reaching + k));
    }
  }
  if (frame.stateGradient) memory.copy(frame.stateGradient + i * past, target, past);
  memory.copy(frame.inputGradient + i * bytes, target + past, bytes);
}

/** Adds a row's dweight and dbias to those of its channel. */
function addWeight(frame: CausalConvFrame, c: i32, row: usize, slopes: usize): void {
  const first = slopes + ((<usize>(frame.kernelSize - 1)) << 2);
  const target = frame.weightGradient + ((<usize>(c * frame.kernelSize)) << 2);
  for (let k: usize = 0; k < <usize>frame.kernelSize; k++) {
    let sum = f32x4.splat(0);
    let at: usize = 0;
    for (let left = frame.length; left > 0; left -= 4) {
      sum = madd(loadLanes(first + at, left), loadLanes(row + at + (k << 2), left), sum);
      at += 16;
    }
    store<f32>(target + (k << 2), load<f32>(target + (k << 2)) + sumLanes(sum));
  }
  if (!frame.biasGradient) return;
  let sum = f32x4.splat(0);
  let at: usize = 0;
  for (let left = frame.length; left > 0; left -= 4) {
    sum = f32x4.add(sum, loadLanes(first + at, left));
    at += 16;
  }
  const bias = frame.biasGradient + ((<usize>c) << 2);
  store<f32>(bias, load<f32>(bias) + sumLanes(sum));
}
