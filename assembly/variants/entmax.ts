// α-entmax of a row of scores (Peters et al. 2019; α = 2 is sparsemax, Martins & Astudillo 2016):
//
//   p = [z − τ]₊^(1/(α − 1)),  z = (α − 1)·(x − max x),  τ such that Σ p = 1
//
// A row lies in segments of KEYS floats, `step` bytes apart; −∞ is left out. A row of nothing else gives 0, one
// with NaN or ∞ NaN.

import { larger, maxLanes } from "../simd/lanes";
import { KEYS } from "../tiles";
import { exponential, logarithm } from "../transcendental";
import { raised, rowThreshold } from "./threshold";

/** Where a row lies, and what of it is copied together: [segments · KEYS] float32. */
@unmanaged
export class EntmaxRow {
  at: usize = 0;
  segments: i32 = 0;
  step: usize = 0;
  list: usize = 0;
}

/** Floats of a row. */
// @ts-ignore: decorator
@inline
export function placesOf(row: EntmaxRow): i32 {
  return row.segments * KEYS;
}

/** Where the row's float i lies. */
// @ts-ignore: decorator
@inline
export function place(row: EntmaxRow, i: i32): usize {
  return row.at + <usize>(i / KEYS) * row.step + ((<usize>(i % KEYS)) << 2);
}

const SEGMENT_BYTES: usize = (<usize>KEYS) << 2;

/** Puts the weights in place of the scores; whether any key was seen. */
export function entmaxRow(row: EntmaxRow, alpha: f32): bool {
  const base = rowMaximum(row);
  if (withoutFinite(row, base)) return base != -(<f32>Infinity);
  const factor = <f64>alpha - 1;
  const tau = rowThreshold(row, base, <f64>alpha, factor);
  if (alpha == 2 || alpha == 1.5) weighFast(row, base, alpha, <f32>tau);
  else weigh(row, base, factor, 1 / factor, tau);
  return true;
}

/** Whether the row has no weights but 0 or NaN, which stand there then. */
export function withoutFinite(row: EntmaxRow, base: f32): bool {
  if (base - base == 0) return false;
  fillRow(row, base == -(<f32>Infinity) ? 0 : NaN);
  return true;
}

/** NaN where there is one. */
export function rowMaximum(row: EntmaxRow): f32 {
  let most = f32x4.splat(-(<f32>Infinity));
  let nan = i32x4.splat(0);
  for (let k = 0; k < row.segments; k++) {
    let at = row.at + <usize>k * row.step;
    for (const end = at + SEGMENT_BYTES; at < end; at += 16) {
      const x = v128.load(at);
      most = larger(most, x);
      nan = v128.or(nan, f32x4.ne(x, x));
    }
  }
  return v128.any_true(nan) ? NaN : maxLanes(most);
}

function fillRow(row: EntmaxRow, value: f32): void {
  const v = f32x4.splat(value);
  for (let k = 0; k < row.segments; k++) {
    let at = row.at + <usize>k * row.step;
    for (const end = at + SEGMENT_BYTES; at < end; at += 16) v128.store(at, v);
  }
}

function weighFast(row: EntmaxRow, base: f32, alpha: f32, tau: f32): void {
  const b = f32x4.splat(base);
  const t = f32x4.splat(tau);
  const factor = f32x4.splat(alpha - 1);
  const zero = f32x4.splat(0);
  const squared = alpha != 2;
  for (let k = 0; k < row.segments; k++) {
    let at = row.at + <usize>k * row.step;
    for (const end = at + SEGMENT_BYTES; at < end; at += 16) {
      const z = f32x4.mul(f32x4.sub(v128.load(at), b), factor);
      const r = f32x4.pmax(zero, f32x4.sub(z, t));
      v128.store(at, squared ? f32x4.mul(r, r) : r);
    }
  }
}

export function weigh(row: EntmaxRow, base: f32, factor: f64, power: f64, tau: f64): void {
  for (let k = 0; k < row.segments; k++) {
    let at = row.at + <usize>k * row.step;
    for (const end = at + SEGMENT_BYTES; at < end; at += 4) {
      const z = factor * <f64>(load<f32>(at) - base);
      store<f32>(at, <f32>raised(z - tau, power));
    }
  }
}

/**
 * The gradient of the scores in place of that of the weights, dx = s∘(dp − Σ s·dp / Σ s) with s = p^(2 − α) where
 * p > 0, else 0. Gives that of α.
 */
export function entmaxBackward(weights: EntmaxRow, gradients: EntmaxRow, alpha: f64): f64 {
  let sum: f64 = 0;
  let along: f64 = 0;
  let entropy: f64 = 0;
  for (let k = 0; k < weights.segments; k++) {
    const p = weights.at + <usize>k * weights.step;
    const g = gradients.at + <usize>k * gradients.step;
    for (let at: usize = 0; at < SEGMENT_BYTES; at += 4) {
      const weight = <f64>load<f32>(p + at);
      if (weight == 0) continue;
      const s = slopeOf(weight, alpha);
      sum += s;
      along += s * <f64>load<f32>(g + at);
      if (weight > 0) entropy += weight * logarithm(weight);
    }
  }
  const mean = sum == 0 ? 0 : along / sum;
  const factor = alpha - 1;
  let result: f64 = 0;
  for (let k = 0; k < weights.segments; k++) {
    const p = weights.at + <usize>k * weights.step;
    const g = gradients.at + <usize>k * gradients.step;
    for (let at: usize = 0; at < SEGMENT_BYTES; at += 4) {
      const weight = <f64>load<f32>(p + at);
      if (weight == 0) {
        store<f32>(g + at, 0);
        continue;
      }
      const s = slopeOf(weight, alpha);
      const dp = <f64>load<f32>(g + at);
      store<f32>(g + at, <f32>(s * (dp - mean)));
      const share = s / sum;
      const own = weight > 0 ? weight * logarithm(weight) : 0;
      result += (dp * ((weight - share) / factor - (own - share * entropy))) / factor;
    }
  }
  return result;
}

// @ts-ignore: decorator
@inline
function slopeOf(weight: f64, alpha: f64): f64 {
  if (alpha == 2) return 1;
  return alpha == 1.5 ? sqrt<f64>(weight) : raisedAny(weight, 2 - alpha);
}

/** p^power for p > 0, NaN for NaN. */
export function raisedAny(p: f64, power: f64): f64 {
  return p == p ? exponential(logarithm(p) * power) : p;
}
