// α-entmax of a row of scores (Peters et al. 2019; α = 2 is sparsemax, Martins & Astudillo 2016):
//
//   p = [z − τ]₊^(1/(α − 1)),  z = (α − 1)·(x − max x),  τ such that Σ p = 1
//
// τ lies in [−1, 0): what is below −1 has no weight, and the rest, mostly few, is copied together. For α ≤ 2 the
// sum is convex in τ, and Newton's method from −1 on rises to it without passing it: exact for sparsemax, to the
// last bits of float64 else. For α > 2 it is found by halving. Sums go over the keys in their order.
//
// A row lies in segments of KEYS floats, `step` bytes apart; −∞ is left out. A row of nothing else gives 0, one
// with NaN or ∞ NaN.

import { larger, maxLanes } from "../simd/lanes";
import { KEYS } from "../tiles";
import { exponential, logarithm } from "../transcendental";

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

const HALVINGS: i32 = 80;
const STEPS: i32 = 100;

const SEGMENT_BYTES: usize = (<usize>KEYS) << 2;

/** Puts the weights in place of the scores; whether any key was seen. */
export function entmaxRow(row: EntmaxRow, alpha: f32): bool {
  const base = rowMaximum(row);
  if (withoutFinite(row, base)) return base != -(<f32>Infinity);
  const factor = <f64>alpha - 1;
  const count = collect(row, base, factor);
  const tau = threshold(row.list, count, <f64>alpha, factor);
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

/** Copies x − base of those that may have weight into the list; gives their number. */
export function collect(row: EntmaxRow, base: f32, factor: f64): i32 {
  const b = f32x4.splat(base);
  // factor·(x − base) > −1, and somewhat more for its rounding.
  const least = f32x4.splat(<f32>(-1.000001 / factor));
  let target = row.list;
  for (let k = 0; k < row.segments; k++) {
    let at = row.at + <usize>k * row.step;
    for (const end = at + SEGMENT_BYTES; at < end; at += 16) {
      const difference = f32x4.sub(v128.load(at), b);
      const mask = i32x4.bitmask(f32x4.gt(difference, least));
      if (!mask) continue;
      if (mask & 1) target = append(target, f32x4.extract_lane(difference, 0));
      if (mask & 2) target = append(target, f32x4.extract_lane(difference, 1));
      if (mask & 4) target = append(target, f32x4.extract_lane(difference, 2));
      if (mask & 8) target = append(target, f32x4.extract_lane(difference, 3));
    }
  }
  return <i32>((target - row.list) >> 2);
}

// @ts-ignore: decorator
@inline
function append(target: usize, x: f32): usize {
  store<f32>(target, x);
  return target + 4;
}

/** τ of `count` differences from the largest, each times the factor. */
export function threshold(list: usize, count: i32, alpha: f64, factor: f64): f64 {
  if (alpha > 2) return halved(list, count, alpha);
  let tau: f64 = -1;
  for (let step = 0; step < STEPS; step++) {
    const next = tau + newton(list, count, alpha, factor, tau);
    if (!(next > tau)) break;
    tau = next;
  }
  return tau;
}

/** (Σ p − 1) / −(Σ p)′ at τ. */
function newton(list: usize, count: i32, alpha: f64, factor: f64, tau: f64): f64 {
  let sum: f64 = 0;
  let slope: f64 = 0;
  const end = list + ((<usize>count) << 2);
  if (alpha == 2) {
    for (; list < end; list += 4) {
      const r = <f64>load<f32>(list) - tau;
      if (!(r > 0)) continue;
      sum += r;
      slope += 1;
    }
    return (sum - 1) / slope;
  }
  if (alpha == 1.5) {
    for (; list < end; list += 4) {
      const r = factor * <f64>load<f32>(list) - tau;
      if (!(r > 0)) continue;
      sum += r * r;
      slope += r;
    }
    return (sum - 1) / (2 * slope);
  }
  const power = 1 / (alpha - 1);
  for (; list < end; list += 4) {
    const r = factor * <f64>load<f32>(list) - tau;
    const p = raised(r, power);
    if (!(p > 0)) continue;
    sum += p;
    slope += p / r;
  }
  return (sum - 1) / (power * slope);
}

/** r^power for r > 0, else 0. */
// @ts-ignore: decorator
@inline
function raised(r: f64, power: f64): f64 {
  if (!(r > 1e-300)) return 0;
  const x = logarithm(r) * power;
  return x > -700 ? exponential(x) : 0;
}

function halved(list: usize, count: i32, alpha: f64): f64 {
  const factor = alpha - 1;
  const power = 1 / factor;
  let low: f64 = -1;
  let high: f64 = 0;
  const end = list + ((<usize>count) << 2);
  for (let step = 0; step < HALVINGS; step++) {
    const tau = (low + high) * 0.5;
    let sum: f64 = 0;
    for (let at = list; at < end; at += 4) {
      sum += raised(factor * <f64>load<f32>(at) - tau, power);
    }
    if (sum >= 1) low = tau;
    else high = tau;
  }
  return low;
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
