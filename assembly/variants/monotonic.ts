// Monotonic alignments (Raffel et al. 2017): step i looks from where step i − 1 stood on, and stops at a key with the
// probability p:
//
//   q[j] = (1 − p[j − 1]) · q[j − 1] + a[i − 1][j]     a[i][j] = p[j] · q[j]
//
// or hard: all weight on the first key from there on with p > ½, none if there is no such key. Exact for any p: the sum
// is float64, and nothing is divided by products that vanish. Backwards, with g the gradient of a[i] and what reaches
// it from the step after:
//
//   r[j] = g[j] · p[j] + (1 − p[j]) · r[j + 1]     dp[j] = q[j] · (g[j] − r[j + 1])     da[i − 1][j] = r[j]
//
// An item is a row with all of its steps.

import { exponential } from "../transcendental";
import { MonotonicFrame } from "./frame";

/** Backwards: q, and the gradient of the step before, both [keys] float64. */
export function monotonicScratchBytes(frame: MonotonicFrame, backward: bool): f64 {
  return backward ? <f64>frame.threads * <f64>frame.keys * 16 : 0;
}

// @ts-ignore: decorator
@inline
function probability(frame: MonotonicFrame, x: f32): f64 {
  if (!frame.logits) return <f64>x;
  // σ, of both signs without 1 − 1.
  const e = exponential(-min<f64>(abs<f64>(<f64>x), 700));
  return x < 0 ? e / (1 + e) : 1 / (1 + e);
}

/** 1 − p */
// @ts-ignore: decorator
@inline
function rest(frame: MonotonicFrame, x: f32): f64 {
  return frame.logits ? probability(frame, -x) : 1 - <f64>x;
}

// @ts-ignore: decorator
@inline
function lengthOf(frame: MonotonicFrame, row: i32): i32 {
  return frame.keyLengths ? load<i32>(frame.keyLengths + ((<usize>row) << 2)) : frame.keys;
}

/** The alignment that step `step` of a row starts from; 0 for all of it at the first key. */
// @ts-ignore: decorator
@inline
function before(frame: MonotonicFrame, row: i32, step: i32): usize {
  const bytes = (<usize>frame.keys) << 2;
  if (step) return frame.alignment + <usize>(row * frame.steps + step - 1) * bytes;
  return frame.previous ? frame.previous + <usize>row * bytes : 0;
}

// @ts-ignore: decorator
@inline
function startAt(previous: usize, j: usize): f64 {
  if (!previous) return j ? 0 : 1;
  return <f64>load<f32>(previous + (j << 2));
}

export function monotonicRun(frame: MonotonicFrame, row: i32): void {
  const bytes = (<usize>frame.keys) << 2;
  for (let step = 0; step < frame.steps; step++) {
    const offset = <usize>(row * frame.steps + step) * bytes;
    const p = frame.probabilities + offset;
    const target = frame.alignment + offset;
    const previous = before(frame, row, step);
    memory.fill(target, 0, bytes);
    if (frame.hard) chooseFirst(frame, lengthOf(frame, row), previous, p, target);
    else spread(frame, lengthOf(frame, row), previous, p, target);
  }
}

function spread(
  frame: MonotonicFrame,
  length: i32,
  previous: usize,
  p: usize,
  target: usize,
): void {
  let q: f64 = 0;
  for (let j: usize = 0; j < <usize>length; j++) {
    const x = load<f32>(p + (j << 2));
    q += startAt(previous, j);
    store<f32>(target + (j << 2), <f32>(probability(frame, x) * q));
    q *= rest(frame, x);
  }
}

function chooseFirst(
  frame: MonotonicFrame,
  length: i32,
  previous: usize,
  p: usize,
  target: usize,
): void {
  let reached: f64 = 0;
  const least: f32 = frame.logits ? 0 : 0.5;
  for (let j: usize = 0; j < <usize>length; j++) {
    reached += startAt(previous, j);
    if (!(reached > 0) || !(load<f32>(p + (j << 2)) > least)) continue;
    store<f32>(target + (j << 2), <f32>reached);
    return;
  }
}

export function monotonicBackwardRun(frame: MonotonicFrame, row: i32, thread: i32): void {
  const count = <usize>frame.keys;
  const bytes = count << 2;
  const q = frame.scratch + <usize>thread * (count << 4);
  const reaching = q + (count << 3);
  const length = <usize>lengthOf(frame, row);
  memory.fill(reaching, 0, count << 3);
  for (let step = frame.steps - 1; step >= 0; step--) {
    const offset = <usize>(row * frame.steps + step) * bytes;
    const p = frame.probabilities + offset;
    const previous = before(frame, row, step);
    let sum: f64 = 0;
    for (let j: usize = 0; j < length; j++) {
      sum += startAt(previous, j);
      store<f64>(q + (j << 3), sum);
      sum *= rest(frame, load<f32>(p + (j << 2)));
    }
    const gradient = frame.probabilitiesGradient + offset;
    memory.fill(gradient, 0, bytes);
    let r: f64 = 0;
    for (let j = length; j-- > 0;) {
      const x = load<f32>(p + (j << 2));
      const chosen = probability(frame, x);
      const passed = rest(frame, x);
      const given = <f64>load<f32>(frame.alignmentGradient + offset + (j << 2));
      const g = given + load<f64>(reaching + (j << 3));
      let d = load<f64>(q + (j << 3)) * (g - r);
      if (frame.logits) d *= chosen * passed;
      store<f32>(gradient + (j << 2), <f32>d);
      r = g * chosen + passed * r;
      store<f64>(reaching + (j << 3), r);
    }
  }
  if (!frame.previousGradient) return;
  const target = frame.previousGradient + <usize>row * bytes;
  for (let j: usize = 0; j < count; j++) {
    store<f32>(target + (j << 2), <f32>load<f64>(reaching + (j << 3)));
  }
}
