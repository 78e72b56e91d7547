// The softmax of a row of scores, as softmax/state.ts, with an e^x of fewer digits; and its weights as bytes:
//
//   ŵ_j = nearest(w_j · t_j / u),  u = max_j w_j·t_j / 127
//
// e^x = 2^n · 2^r by the degree-3 minimax polynomial with 1 at its foot (relative error 1.0e-4, a fortieth of
// half a step of a weight; e^0 is exactly 1).

import { finiteBase, rescaling, rowMaximum, States } from "../../softmax/state";
import { sumLanes } from "../../simd/lanes";
import { KEYS } from "../../tiles";

const constants = memory.data<f32>([
  12583039.0, // 1.5·2²³ + 127: adding it rounds to an integer whose low bits are n + 127
  12582913.0, // what that leaves of n = −126
  1.4426950408889634, // log₂ e
  0.69328293,
  0.24221096,
  0.05500893,
  1.0,
]);

/**
 * As updateState of softmax/state.ts; gives the sum of the weights that it leaves. With scales these are
 * times them, and the largest of them is stored.
 */
export function moveState(
  states: States,
  i: usize,
  scores: usize,
  count: i32,
  scales: usize,
  largest: usize,
): f32 {
  const maximum = states.maxima + (i << 2);
  const sum = states.sums + (i << 2);
  const before = load<f32>(maximum);
  const m = max(before, rowMaximum(scores, count));
  const base = finiteBase(m);
  const b = f32x4.splat(base);
  const toScales = scales - scores;
  let sum0 = f32x4.splat(0);
  let sum1 = sum0;
  let m0 = sum0;
  let m1 = sum0;
  const end = scores + ((<usize>count) << 2);
  let at = scores;
  // e^x of eight side by side.
  for (; at < end; at += 32) {
    let c = v128.load32_splat(constants, 8);
    let x0 = f32x4.mul(f32x4.sub(v128.load(at), b), c);
    let x1 = f32x4.mul(f32x4.sub(v128.load(at, 16), b), c);
    c = v128.load32_splat(constants);
    const t0 = f32x4.add(x0, c);
    const t1 = f32x4.add(x1, c);
    x0 = f32x4.sub(x0, f32x4.sub(t0, c));
    x1 = f32x4.sub(x1, f32x4.sub(t1, c));
    c = v128.load32_splat(constants, 20);
    let p0 = f32x4.mul(c, x0);
    let p1 = f32x4.mul(c, x1);
    c = v128.load32_splat(constants, 16);
    p0 = f32x4.mul(f32x4.add(p0, c), x0);
    p1 = f32x4.mul(f32x4.add(p1, c), x1);
    c = v128.load32_splat(constants, 12);
    p0 = f32x4.mul(f32x4.add(p0, c), x0);
    p1 = f32x4.mul(f32x4.add(p1, c), x1);
    c = v128.load32_splat(constants, 24);
    p0 = f32x4.mul(f32x4.add(p0, c), i32x4.shl(t0, 23));
    p1 = f32x4.mul(f32x4.add(p1, c), i32x4.shl(t1, 23));
    c = v128.load32_splat(constants, 4);
    p0 = v128.andnot(p0, f32x4.lt(t0, c));
    p1 = v128.andnot(p1, f32x4.lt(t1, c));
    sum0 = f32x4.add(sum0, p0);
    sum1 = f32x4.add(sum1, p1);
    if (scales) {
      p0 = f32x4.mul(p0, v128.load(at + toScales));
      p1 = f32x4.mul(p1, v128.load(at + toScales, 16));
      m0 = f32x4.pmax(m0, p0);
      m1 = f32x4.pmax(m1, p1);
    }
    v128.store(at, p0);
    v128.store(at, p1, 16);
  }
  if (scales) store<f32>(largest, mostOf(f32x4.pmax(m0, m1)));
  const added = sumLanes(f32x4.add(sum0, sum1));
  store<f32>(maximum, m);
  if (m == before || before == -(<f32>Infinity)) {
    store<f32>(sum, load<f32>(sum) + added);
    return added;
  }
  const alpha = rescaling(before, base);
  store<f32>(sum, load<f32>(sum) * alpha + added);
  const factor = f32x4.splat(alpha);
  const row = (<usize>states.columns) << 2;
  const last = states.output + (i + 1) * row;
  for (let at = last - row; at < last; at += 16) v128.store(at, f32x4.mul(v128.load(at), factor));
  return added;
}

/** Weights times scales, and the largest of them, of a row whose weights were dropped in between. */
export function scaleWeights(weights: usize, scales: usize, count: i32, largest: usize): void {
  let most = f32x4.splat(0);
  for (let at: usize = 0; at < (<usize>count) << 2; at += 16) {
    const a = f32x4.mul(v128.load(weights + at), v128.load(scales + at));
    most = f32x4.pmax(most, a);
    v128.store(weights + at, a);
  }
  store<f32>(largest, mostOf(most));
}

// @ts-ignore: decorator
@inline
function mostOf(four: v128): f32 {
  const two = f32x4.pmax(four, v128.shuffle<f32>(four, four, 2, 3, 0, 1));
  return max(f32x4.extract_lane(two, 0), f32x4.extract_lane(two, 1));
}

/**
 * `count` weights times scales as bytes, or `words`, to `target`, and 0 behind them to the end of a tile; the
 * largest becomes u. Who has a NaN among the weights has one in their sum.
 */
export function roundWeights(
  weights: usize,
  count: i32,
  target: usize,
  words: bool,
  largest: usize,
): void {
  const most = load<f32>(largest);
  // So little that nothing of it is left.
  const none = !(most > <f32>1e-35);
  store<f32>(largest, none ? 0 : most / 127);
  const factor = f32x4.splat(none ? 0 : <f32>127 / most);
  const last = target + (words ? (<usize>KEYS) << 1 : <usize>KEYS);
  const end = weights + ((<usize>count) << 2);
  for (; weights < end; weights += 32) {
    const halves = roundedEight(weights, factor);
    if (words) {
      v128.store(target, halves);
      target += 16;
    } else {
      v128.store64_lane(target, i8x16.narrow_i16x8_s(halves, halves), 0);
      target += 8;
    }
  }
  for (; target < last; target += 8) store<u64>(target, 0);
}

/** Eight numbers of 0 to 127 as 16 bits; of NaN too there is nothing but these seven bits. */
// @ts-ignore: decorator
@inline
function roundedEight(source: usize, factor: v128): v128 {
  const shift = f32x4.splat(12582912);
  const a = f32x4.add(f32x4.mul(v128.load(source), factor), shift);
  const b = f32x4.add(f32x4.mul(v128.load(source, 16), factor), shift);
  const mask = i32x4.splat(127);
  return i16x8.narrow_i32x4_s(v128.and(a, mask), v128.and(b, mask));
}

/** Σ w of a row. */
export function sumOf(weights: usize, count: i32): f32 {
  let sum0 = f32x4.splat(0);
  let sum1 = sum0;
  for (const end = weights + ((<usize>count) << 2); weights < end; weights += 32) {
    sum0 = f32x4.add(sum0, v128.load(weights));
    sum1 = f32x4.add(sum1, v128.load(weights, 16));
  }
  return sumLanes(f32x4.add(sum0, sum1));
}
