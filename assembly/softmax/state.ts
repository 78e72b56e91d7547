// One row's softmax, computed while its scores arrive tile by tile.
//
// State (m, l, output): m the largest score so far, l = Σ e^(s − m), output = Σ e^(s − m) · value. Scores
// or another state with maximum mₚ move it by
//   m′ = max(m, mₚ),  l′ = l·e^(m − m′) + lₚ·e^(mₚ − m′),  output alike
// (Milakov & Gimelshein 2018, "Online normalizer calculation for softmax"), and the result is output / l.
// The largest weight is exactly 1, however large the scores.

import { logf_lut } from "util/math";
import { exp, expSixteen } from "../simd/exp";
import { larger, madd, maxLanes, sumLanes } from "../simd/lanes";

/** The states of some rows: addresses of m [rows], l [rows] and output [rows][columns]. */
@unmanaged
export class States {
  output: usize = 0;
  maxima: usize = 0;
  sums: usize = 0;
  /** A multiple of 8. */
  columns: i32 = 0;
}

/** Lays out the states of `rows` rows from `address` on; gives the address after them. */
// @ts-ignore: decorator
@inline
export function layOutStates(states: States, address: usize, rows: usize, columns: i32): usize {
  states.columns = columns;
  states.output = address;
  states.maxima = address + ((rows * <usize>columns) << 2);
  states.sums = states.maxima + (rows << 2);
  return states.sums + (rows << 2);
}

/** No key seen yet: (−∞, 0), or for the first `rows` with a sink, a logit without a value: (sink, 1). */
export function initStates(states: States, rows: i32, sink: f32): void {
  memory.fill(states.output, 0, states.maxima - states.output);
  const capacity = (states.sums - states.maxima) >> 2;
  for (let i: usize = 0; i < capacity; i++) {
    const seen = sink != -(<f32>Infinity) && i < <usize>rows;
    store<f32>(states.maxima + (i << 2), seen ? sink : -(<f32>Infinity));
    store<f32>(states.sums + (i << 2), seen ? 1 : 0);
  }
}

/** Moves row i by `count` scores, a multiple of 8, and leaves their e^(s − m) in their place. */
// @ts-ignore: decorator
@inline
export function updateState(states: States, i: usize, scores: usize, count: i32): void {
  const maximum = states.maxima + (i << 2);
  const sum = states.sums + (i << 2);
  const before = load<f32>(maximum);
  const m = max(before, rowMaximum(scores, count));
  const base = finiteBase(m);
  const added = exponentiate(scores, count, base);
  if (m == before) {
    store<f32>(sum, load<f32>(sum) + added);
    return;
  }
  store<f32>(maximum, m);
  if (before == -(<f32>Infinity)) {
    // Nothing was added under the old maximum but, where scores were NaN, NaN.
    store<f32>(sum, load<f32>(sum) + added);
    return;
  }
  const alpha = rescaling(before, base);
  store<f32>(sum, load<f32>(sum) * alpha + added);
  const factor = f32x4.splat(alpha);
  const row = (<usize>states.columns) << 2;
  const end = states.output + (i + 1) * row;
  for (let at = end - row; at < end; at += 16) v128.store(at, f32x4.mul(v128.load(at), factor));
}

/** Merges row i of `part`, of other keys, into row i of `total`. */
export function mergeState(total: States, part: States, i: usize): void {
  const state = i << 2;
  const l = load<f32>(part.sums + state);
  if (l == 0) return;
  const before = load<f32>(total.maxima + state);
  const m = max(before, load<f32>(part.maxima + state));
  const base = finiteBase(m);
  const alpha = rescaling(before, base);
  const beta = rescaling(load<f32>(part.maxima + state), base);
  store<f32>(total.maxima + state, m);
  store<f32>(total.sums + state, load<f32>(total.sums + state) * alpha + l * beta);
  const old = f32x4.splat(alpha);
  const added = f32x4.splat(beta);
  const row = (<usize>total.columns) << 2;
  const target = total.output + i * row;
  const source = part.output + i * row;
  for (let at: usize = 0; at < row; at += 16) {
    const before = f32x4.mul(v128.load(target + at), old);
    v128.store(target + at, madd(v128.load(source + at), added, before));
  }
}

/** Writes output / l of row i, `columns` of them; 0 where no key was seen, whatever the row holds. */
// @ts-ignore: decorator
@inline
export function finishState(states: States, i: usize, target: usize, columns: i32): void {
  const source = states.output + i * ((<usize>states.columns) << 2);
  const l = load<f32>(states.sums + (i << 2));
  if (l == 0) {
    memory.fill(target, 0, (<usize>columns) << 2);
    return;
  }
  const divisor = f32x4.splat(l);
  let j = 0;
  for (; j + 4 <= columns; j += 4) {
    const at = (<usize>j) << 2;
    v128.store(target + at, f32x4.div(v128.load(source + at), divisor));
  }
  for (; j < columns; j++) {
    const at = (<usize>j) << 2;
    store<f32>(target + at, load<f32>(source + at) / l);
  }
}

/** Natural logarithm of Σ e^score; −∞ for a row that saw nothing. */
export function logSumExp(m: f32, l: f32): f32 {
  if (l == 0) return -(<f32>Infinity);
  return <f32>(<f64>m + <f64>logf_lut(l));
}

/** What is subtracted: a row that has seen no key yet (m = −∞) subtracts 0, since −∞ − −∞ is NaN. */
// @ts-ignore: decorator
@inline
export function finiteBase(m: f32): f32 {
  return m == -(<f32>Infinity) ? 0 : m;
}

/** e^(m − base) of one number: the factor on what was summed under m. */
export function rescaling(m: f32, base: f32): f32 {
  return f32x4.extract_lane(exp(f32x4.splat(m - base)), 0);
}

/** Largest of `count` scores, a multiple of 8. */
export function rowMaximum(scores: usize, count: i32): f32 {
  let m0 = f32x4.splat(-(<f32>Infinity));
  let m1 = m0;
  const end = scores + ((<usize>count) << 2);
  for (; scores < end; scores += 32) {
    m0 = larger(m0, v128.load(scores));
    m1 = larger(m1, v128.load(scores, 16));
  }
  return maxLanes(larger(m0, m1));
}

/** Replaces `count` scores (a multiple of 8) by e^(s − base) and returns their sum. */
export function exponentiate(scores: usize, count: i32, base: f32): f32 {
  const b = f32x4.splat(base);
  let sum0 = f32x4.splat(0);
  let sum1 = sum0;
  let sum2 = sum0;
  let sum3 = sum0;
  const end = scores + ((<usize>count) << 2);
  const end16 = scores + ((<usize>(count & ~15)) << 2);
  for (; scores < end16; scores += 64) {
    expSixteen(scores, b);
    sum0 = f32x4.add(sum0, v128.load(scores));
    sum1 = f32x4.add(sum1, v128.load(scores, 16));
    sum2 = f32x4.add(sum2, v128.load(scores, 32));
    sum3 = f32x4.add(sum3, v128.load(scores, 48));
  }
  if (scores < end) {
    const p0 = exp(f32x4.sub(v128.load(scores), b));
    const p1 = exp(f32x4.sub(v128.load(scores, 16), b));
    v128.store(scores, p0);
    v128.store(scores, p1, 16);
    sum0 = f32x4.add(sum0, p0);
    sum1 = f32x4.add(sum1, p1);
  }
  return sumLanes(f32x4.add(f32x4.add(sum0, sum2), f32x4.add(sum1, sum3)));
}
