// τ of a row of scores, such that Σ [z − τ]₊^(1/(α − 1)) = 1, with z = factor·(x − max x).
//
// τ lies in [−1, 0): what is below −1 has no weight, and the rest, mostly few, is copied together. For α ≤ 2 the
// sum is convex in τ, and Newton's method from −1 on rises to it without passing it: exact for sparsemax, to the
// last bits of float64 else. For α = 1.5 and 2 it rises in float32 first, of all differences four at a time, and those
// that are left are few. For α > 2 τ is found by halving. Sums go over the keys in their order.

import { KEYS } from "../tiles";
import { exponential, logarithm } from "../transcendental";
import { EntmaxRow } from "./entmax";

const HALVINGS: i32 = 80;
const STEPS: i32 = 100;
/** Of those in float32, and how near they come. */
const ROUGH_STEPS: i32 = 30;
const ROUGH: f32 = 1e-4;

const SEGMENT_BYTES: usize = (<usize>KEYS) << 2;

/** The row's τ; `base` is its largest score. */
export function rowThreshold(row: EntmaxRow, base: f32, alpha: f64, factor: f64): f64 {
  if (alpha == 1.5 || alpha == 2) {
    const end = subtractBase(row, base);
    const squared = alpha == 1.5;
    const rough = roughThreshold(row.list, end, <f32>factor, squared);
    const count = keep(row.list, end, <f32>((<f64>rough - 1e-6) / factor));
    const first = newton(row.list, count, alpha, factor, <f64>rough);
    // Unless it has passed τ by its rounding.
    if (first >= 0) return risen(row.list, count, alpha, factor, <f64>rough + first);
  }
  const count = collect(row, base, factor);
  return threshold(row.list, count, alpha, factor);
}

/** x − base of all keys into the list; gives its end. */
function subtractBase(row: EntmaxRow, base: f32): usize {
  const b = f32x4.splat(base);
  let target = row.list;
  for (let k = 0; k < row.segments; k++) {
    let at = row.at + <usize>k * row.step;
    for (const end = at + SEGMENT_BYTES; at < end; at += 16) {
      v128.store(target, f32x4.sub(v128.load(at), b));
      target += 16;
    }
  }
  return target;
}

/** Somewhat less than τ. */
function roughThreshold(list: usize, end: usize, factor: f32, squared: bool): f32 {
  const f = f32x4.splat(factor);
  const zero = f32x4.splat(0);
  const one = f32x4.splat(1);
  let tau: f32 = -1;
  for (let step = 0; step < ROUGH_STEPS; step++) {
    const t = f32x4.splat(tau);
    let sum0 = zero;
    let sum1 = zero;
    let slope0 = zero;
    let slope1 = zero;
    for (let at = list; at < end; at += 32) {
      const r0 = f32x4.pmax(zero, f32x4.sub(f32x4.mul(v128.load(at), f), t));
      const r1 = f32x4.pmax(zero, f32x4.sub(f32x4.mul(v128.load(at, 16), f), t));
      if (squared) {
        sum0 = f32x4.add(sum0, f32x4.mul(r0, r0));
        sum1 = f32x4.add(sum1, f32x4.mul(r1, r1));
        slope0 = f32x4.add(slope0, r0);
        slope1 = f32x4.add(slope1, r1);
      } else {
        sum0 = f32x4.add(sum0, r0);
        sum1 = f32x4.add(sum1, r1);
        slope0 = f32x4.add(slope0, v128.and(one, f32x4.gt(r0, zero)));
        slope1 = f32x4.add(slope1, v128.and(one, f32x4.gt(r1, zero)));
      }
    }
    const slope = sumLanes(f32x4.add(slope0, slope1));
    const next = tau + (sumLanes(f32x4.add(sum0, sum1)) - 1) / (squared ? 2 * slope : slope);
    if (!(next > tau + ROUGH)) break;
    tau = next;
  }
  return tau - ROUGH;
}

// @ts-ignore: decorator
@inline
function sumLanes(v: v128): f32 {
  const low = f32x4.extract_lane(v, 0) + f32x4.extract_lane(v, 1);
  return low + (f32x4.extract_lane(v, 2) + f32x4.extract_lane(v, 3));
}

/** Moves what is more than `least` to the list's beginning, in its order; gives its number. */
function keep(list: usize, end: usize, least: f32): i32 {
  const l = f32x4.splat(least);
  let target = list;
  for (let at = list; at < end; at += 16) {
    const differences = v128.load(at);
    target = appendAbove(target, differences, i32x4.bitmask(f32x4.gt(differences, l)));
  }
  return <i32>((target - list) >> 2);
}

/** Copies x − base of those that may have weight into the list; gives their number. */
function collect(row: EntmaxRow, base: f32, factor: f64): i32 {
  const b = f32x4.splat(base);
  // factor·(x − base) > −1, and somewhat more for its rounding.
  const least = f32x4.splat(<f32>(-1.000001 / factor));
  let target = row.list;
  for (let k = 0; k < row.segments; k++) {
    let at = row.at + <usize>k * row.step;
    for (const end = at + SEGMENT_BYTES; at < end; at += 16) {
      const difference = f32x4.sub(v128.load(at), b);
      const mask = i32x4.bitmask(f32x4.gt(difference, least));
      target = appendAbove(target, difference, mask);
    }
  }
  return <i32>((target - row.list) >> 2);
}

/** Appends the lanes of the mask. */
// @ts-ignore: decorator
@inline
function appendAbove(target: usize, x: v128, mask: i32): usize {
  if (!mask) return target;
  if (mask & 1) target = append(target, f32x4.extract_lane(x, 0));
  if (mask & 2) target = append(target, f32x4.extract_lane(x, 1));
  if (mask & 4) target = append(target, f32x4.extract_lane(x, 2));
  if (mask & 8) target = append(target, f32x4.extract_lane(x, 3));
  return target;
}

// @ts-ignore: decorator
@inline
function append(target: usize, x: f32): usize {
  store<f32>(target, x);
  return target + 4;
}

/** τ of `count` differences from the largest, each times the factor. */
function threshold(list: usize, count: i32, alpha: f64, factor: f64): f64 {
  return alpha > 2 ? halved(list, count, alpha) : risen(list, count, alpha, factor, -1);
}

/** From a number below τ. */
function risen(list: usize, count: i32, alpha: f64, factor: f64, from: f64): f64 {
  let tau = from;
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
export function raised(r: f64, power: f64): f64 {
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
