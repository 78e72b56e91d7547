// Weights of at most 1 that sum to a budget B, a soft choice of B keys: those next to the scores, which maximise
// x·p − ‖p‖²/2,
//
//   p = clamp(x − τ, 0, 1),  τ such that Σ p = B
//
// of B = 1 sparsemax. Where no more keys are seen than B, each has 1. Else τ lies within 1 below the ⌈B⌉-th largest
// score, and is found by Newton's method, which ends since the sum is linear between its bends; where a step leaves the
// part that τ is known to lie in, by halving that. Sums go over the keys in their order.

import { KEYS } from "../tiles";
import { EntmaxRow, place, placesOf, rowMaximum, withoutFinite } from "./entmax";

const STEPS: i32 = 100;
const ROW: usize = (<usize>KEYS) << 2;

/** Puts the weights in place of the scores; whether any key was seen. */
export function budgetRow(row: EntmaxRow, budget: f32): bool {
  const most = rowMaximum(row);
  if (withoutFinite(row, most)) return most != -(<f32>Infinity);
  const base = nthLargest(row, <i32>ceil<f32>(budget));
  const tau = threshold(row, base, <f64>budget);
  const b = f32x4.splat(base);
  const t = f32x4.splat(<f32>tau);
  const zero = f32x4.splat(0);
  const one = f32x4.splat(1);
  for (let k = 0; k < row.segments; k++) {
    let at = row.at + <usize>k * row.step;
    for (const end = at + ROW; at < end; at += 16) {
      // NaN, which is −∞ − −∞, is no weight.
      const r = f32x4.pmax(zero, f32x4.sub(f32x4.sub(v128.load(at), b), t));
      v128.store(at, f32x4.pmin(one, r));
    }
  }
  return true;
}

/** −∞ where there are not as many: by halving between all float32, whose bits are in their order as integers. */
function nthLargest(row: EntmaxRow, n: i32): f32 {
  let low: i64 = ordered(reinterpret<i32>(-(<f32>Infinity)));
  let high: i64 = ordered(reinterpret<i32>(<f32>Infinity));
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (countFrom(row, reinterpret<f32>(ordered(<i32>middle))) >= n) low = middle;
    else high = middle;
  }
  return reinterpret<f32>(ordered(<i32>low));
}

// @ts-ignore: decorator
@inline
function ordered(bits: i32): i32 {
  return bits ^ ((bits >> 31) & i32.MAX_VALUE);
}

function countFrom(row: EntmaxRow, least: f32): i32 {
  const l = f32x4.splat(least);
  let count = i32x4.splat(0);
  for (let k = 0; k < row.segments; k++) {
    let at = row.at + <usize>k * row.step;
    for (const end = at + ROW; at < end; at += 16) {
      count = i32x4.sub(count, f32x4.ge(v128.load(at), l));
    }
  }
  return (
    i32x4.extract_lane(count, 0) +
    i32x4.extract_lane(count, 1) +
    i32x4.extract_lane(count, 2) +
    i32x4.extract_lane(count, 3)
  );
}

function threshold(row: EntmaxRow, base: f32, budget: f64): f64 {
  let low: f64 = -1;
  let high: f64 = 0;
  let tau: f64 = low;
  for (let step = 0; step < STEPS; step++) {
    let sum: f64 = 0;
    let slope: f64 = 0;
    for (let i = 0; i < placesOf(row); i++) {
      const r = <f64>(load<f32>(place(row, i)) - base) - tau;
      if (!(r > 0)) continue;
      sum += min<f64>(r, 1);
      if (r < 1) slope += 1;
    }
    if (sum == budget) break;
    if (sum > budget) low = tau;
    else high = tau;
    let next = tau + (sum - budget) / slope;
    if (!(next > low && next < high)) next = (low + high) * 0.5;
    if (next == tau) break;
    tau = next;
  }
  return tau;
}

/** dx = dp − the mean of dp where 0 < p < 1, else 0, in place of dp. Gives dB, which is that mean. */
export function budgetBackward(weights: EntmaxRow, gradients: EntmaxRow): f64 {
  let sum: f64 = 0;
  let count: f64 = 0;
  for (let i = 0; i < placesOf(weights); i++) {
    if (isSettled(load<f32>(place(weights, i)))) continue;
    sum += <f64>load<f32>(place(gradients, i));
    count += 1;
  }
  const mean = count == 0 ? 0 : sum / count;
  for (let i = 0; i < placesOf(weights); i++) {
    const at = place(gradients, i);
    const weight = load<f32>(place(weights, i));
    const d = isSettled(weight) ? 0 : <f64>load<f32>(at) - mean + <f64>(weight - weight);
    store<f32>(at, <f32>d);
  }
  return mean;
}

/** Of a weight that does not move. */
// @ts-ignore: decorator
@inline
function isSettled(weight: f32): bool {
  return weight <= 0 || weight >= 1;
}
