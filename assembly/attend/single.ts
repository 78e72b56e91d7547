// The two products of one query row with keys and values where they lie: nothing is packed, K and
// V are read once. The sums run in the order of the tile's products, so the bits are the same.
//
// scores [count] = q · Kᵀ, eight keys at a time, each four numbers of theirs turned in registers;
// output [⌈Dv⌉₈] += w · V, 32, four or one columns at a time.

import { Sequence, Slot } from "../frame";
import { madd } from "../simd/lanes";
import { address, element, size } from "../slots";
import { AHEAD_KEYS, SCORE_SUM } from "../tiles";
import { Ahead, scoreAhead } from "./ahead";
import { keyValueHead } from "./heads";
import { sequence } from "./window";

/** `query` is packed four rows wide, its first row is read; keys are `stride` bytes apart. */
export function scoreRow(
  frame: usize,
  query: usize,
  keys: usize,
  stride: usize,
  count: i32,
  scores: usize,
): void {
  const depth = size(frame, Slot.headSize);
  let j = 0;
  for (; j + 8 <= count; j += 8) {
    scoreEight(query, keys + <usize>j * stride, stride, depth, scores + ((<usize>j) << 2));
  }
  for (; j < count; j++) {
    store<f32>(scores + ((<usize>j) << 2), scoreOne(query, keys + <usize>j * stride, depth));
  }
  for (; j & 7; j++) store<f32>(scores + ((<usize>j) << 2), 0);
}

function scoreEight(query: usize, k0: usize, stride: usize, depth: i32, scores: usize): void {
  const k1 = k0 + stride;
  const k2 = k1 + stride;
  const k3 = k2 + stride;
  const k4 = k3 + stride;
  const k5 = k4 + stride;
  const k6 = k5 + stride;
  const k7 = k6 + stride;
  let total0 = f32x4.splat(0);
  let total1 = total0;
  let i = 0;
  // Two sums of each key at once: one alone waits for its own additions.
  for (; i + 2 * SCORE_SUM <= depth; i += 2 * SCORE_SUM) {
    let sum0 = f32x4.splat(0);
    let sum1 = sum0;
    let next0 = sum0;
    let next1 = sum0;
    const end = (<usize>(i + SCORE_SUM)) << 2;
    for (let at = (<usize>i) << 2; at < end; at += 16) {
      const q = query + (at << 2);
      const q0 = v128.load32_splat(q);
      const q1 = v128.load32_splat(q, 16);
      const q2 = v128.load32_splat(q, 32);
      const q3 = v128.load32_splat(q, 48);
      sum0 = addFour(q0, q1, q2, q3, k0 + at, k1 + at, k2 + at, k3 + at, sum0);
      sum1 = addFour(q0, q1, q2, q3, k4 + at, k5 + at, k6 + at, k7 + at, sum1);
      const on = at + SCORE_SUM * 4;
      const p0 = v128.load32_splat(q, SCORE_SUM * 16);
      const p1 = v128.load32_splat(q, SCORE_SUM * 16 + 16);
      const p2 = v128.load32_splat(q, SCORE_SUM * 16 + 32);
      const p3 = v128.load32_splat(q, SCORE_SUM * 16 + 48);
      next0 = addFour(p0, p1, p2, p3, k0 + on, k1 + on, k2 + on, k3 + on, next0);
      next1 = addFour(p0, p1, p2, p3, k4 + on, k5 + on, k6 + on, k7 + on, next1);
    }
    total0 = f32x4.add(next0, i ? f32x4.add(sum0, total0) : sum0);
    total1 = f32x4.add(next1, i ? f32x4.add(sum1, total1) : sum1);
  }
  while (i < depth) {
    const end = min(i + SCORE_SUM, depth);
    let sum0 = f32x4.splat(0);
    let sum1 = sum0;
    for (; i + 4 <= end; i += 4) {
      const at = (<usize>i) << 2;
      const q = query + (at << 2);
      const q0 = v128.load32_splat(q);
      const q1 = v128.load32_splat(q, 16);
      const q2 = v128.load32_splat(q, 32);
      const q3 = v128.load32_splat(q, 48);
      sum0 = addFour(q0, q1, q2, q3, k0 + at, k1 + at, k2 + at, k3 + at, sum0);
      sum1 = addFour(q0, q1, q2, q3, k4 + at, k5 + at, k6 + at, k7 + at, sum1);
    }
    for (; i < end; i++) {
      const at = (<usize>i) << 2;
      const q = v128.load32_splat(query + (at << 2));
      sum0 = madd(q, gather(k0 + at, k1 + at, k2 + at, k3 + at), sum0);
      sum1 = madd(q, gather(k4 + at, k5 + at, k6 + at, k7 + at), sum1);
    }
    total0 = end <= SCORE_SUM ? sum0 : f32x4.add(sum0, total0);
    total1 = end <= SCORE_SUM ? sum1 : f32x4.add(sum1, total1);
  }
  v128.store(scores, total0);
  v128.store(scores, total1, 16);
}

/** sum + q · four numbers of four keys each, turned in registers. */
// @ts-ignore: decorator
@inline
function addFour(
  q0: v128,
  q1: v128,
  q2: v128,
  q3: v128,
  k0: usize,
  k1: usize,
  k2: usize,
  k3: usize,
  sum: v128,
): v128 {
  const a0 = v128.load(k0);
  const a1 = v128.load(k1);
  const a2 = v128.load(k2);
  const a3 = v128.load(k3);
  const low01 = v128.shuffle<f32>(a0, a1, 0, 4, 1, 5);
  const high01 = v128.shuffle<f32>(a0, a1, 2, 6, 3, 7);
  const low23 = v128.shuffle<f32>(a2, a3, 0, 4, 1, 5);
  const high23 = v128.shuffle<f32>(a2, a3, 2, 6, 3, 7);
  let s = madd(q0, v128.shuffle<f32>(low01, low23, 0, 1, 4, 5), sum);
  s = madd(q1, v128.shuffle<f32>(low01, low23, 2, 3, 6, 7), s);
  s = madd(q2, v128.shuffle<f32>(high01, high23, 0, 1, 4, 5), s);
  return madd(q3, v128.shuffle<f32>(high01, high23, 2, 3, 6, 7), s);
}

// @ts-ignore: decorator
@inline
function gather(a: usize, b: usize, c: usize, d: usize): v128 {
  let v = v128.load32_zero(a);
  v = v128.load_lane<f32>(b, v, 1);
  v = v128.load_lane<f32>(c, v, 2);
  return v128.load_lane<f32>(d, v, 3);
}

/** In lanes, so that a multiply-add rounds as it does for eight. */
function scoreOne(query: usize, key: usize, depth: i32): f32 {
  let total = f32x4.splat(0);
  let i = 0;
  while (i < depth) {
    const end = min(i + SCORE_SUM, depth);
    let sum = f32x4.splat(0);
    for (; i < end; i++) {
      const at = (<usize>i) << 2;
      sum = madd(v128.load32_splat(query + (at << 2)), v128.load32_splat(key + at), sum);
    }
    total = end <= SCORE_SUM ? sum : f32x4.add(sum, total);
  }
  return f32x4.extract_lane(total, 0);
}

/**
 * `seen` holds the scores, `weights` what became of them; `partial` is room for a row. Meanwhile
 * the keys of `ahead` are scored.
 */
export function valueRow(
  frame: usize,
  b: i32,
  h: i32,
  seen: usize,
  weights: usize,
  from: i32,
  count: i32,
  output: usize,
  partial: usize,
  ahead: Ahead,
): void {
  const columns = size(frame, Slot.valueSize);
  const wide = ((<usize>columns) & ~31) << 2;
  const row = sequence(frame, b, Sequence.keyStart) + from;
  const stride = address(frame, Slot.valueRow) << 2;
  const values = element(frame, Slot.value, Slot.valueBatch, b, keyValueHead(frame, h), row);
  const block = ahead.count ? AHEAD_KEYS : count;
  for (let i = 0; i < count; i += block) {
    if (i < ahead.count) scoreAhead(frame, ahead, i);
    const first = values + <usize>i * stride;
    const begin = weights + ((<usize>i) << 2);
    const end = weights + ((<usize>min(i + block, count)) << 2);
    for (let at: usize = 0; at < wide; at += 128) {
      addColumns(begin, end, first + at, stride, partial + at, i > 0);
    }
  }
  for (let at: usize = 0; at < wide; at += 128) {
    if (!addSums(partial + at, output + at)) {
      addVisible(seen, weights, values + at, count, stride, 32, output + at);
    }
  }
  if (columns & 31) {
    addVisible(seen, weights, values + wide, count, stride, columns & 31, output + wide);
  }
}

/** 32 columns of the keys weighed from `weights` to `end`, going on from `sums` where they have begun. */
// @ts-ignore: decorator
@inline
function addColumns(
  weights: usize,
  end: usize,
  values: usize,
  stride: usize,
  sums: usize,
  begun: bool,
): void {
  let s0 = f32x4.splat(0);
  let s1 = s0;
  let s2 = s0;
  let s3 = s0;
  let s4 = s0;
  let s5 = s0;
  let s6 = s0;
  let s7 = s0;
  if (begun) {
    s0 = v128.load(sums);
    s1 = v128.load(sums, 16);
    s2 = v128.load(sums, 32);
    s3 = v128.load(sums, 48);
    s4 = v128.load(sums, 64);
    s5 = v128.load(sums, 80);
    s6 = v128.load(sums, 96);
    s7 = v128.load(sums, 112);
  }
  // By their weights: what lies a stride after the last key may be no address any more.
  for (; weights < end; weights += 4) {
    const w = v128.load32_splat(weights);
    s0 = madd(w, v128.load(values), s0);
    s1 = madd(w, v128.load(values, 16), s1);
    s2 = madd(w, v128.load(values, 32), s2);
    s3 = madd(w, v128.load(values, 48), s3);
    s4 = madd(w, v128.load(values, 64), s4);
    s5 = madd(w, v128.load(values, 80), s5);
    s6 = madd(w, v128.load(values, 96), s6);
    s7 = madd(w, v128.load(values, 112), s7);
    values += stride;
  }
  v128.store(sums, s0);
  v128.store(sums, s1, 16);
  v128.store(sums, s2, 32);
  v128.store(sums, s3, 48);
  v128.store(sums, s4, 64);
  v128.store(sums, s5, 80);
  v128.store(sums, s6, 96);
  v128.store(sums, s7, 112);
}

/** Adds 32 sums to the output; false, with nothing added, where one is NaN. */
function addSums(sums: usize, output: usize): bool {
  let all = f32x4.splat(0);
  for (let at: usize = 0; at < 128; at += 16) all = f32x4.add(all, v128.load(sums + at));
  if (v128.any_true(f32x4.ne(all, all))) return false;
  for (let at: usize = 0; at < 128; at += 16) {
    v128.store(output + at, f32x4.add(v128.load(sums + at), v128.load(output + at)));
  }
  return true;
}

/** Four columns at a time, then one, without the keys that are left out (score −∞). */
function addVisible(
  seen: usize,
  weights: usize,
  values: usize,
  count: i32,
  stride: usize,
  columns: i32,
  output: usize,
): void {
  const end = weights + ((<usize>count) << 2);
  while (columns > 0) {
    const four = columns >= 4;
    let sum = f32x4.splat(0);
    let value = values;
    let score = seen;
    for (let weight = weights; weight < end; weight += 4) {
      if (load<f32>(score) != -(<f32>Infinity)) {
        const v = four ? v128.load(value) : v128.load32_splat(value);
        sum = madd(v128.load32_splat(weight), v, sum);
      }
      score += 4;
      value += stride;
    }
    if (four) v128.store(output, f32x4.add(sum, v128.load(output)));
    else store<f32>(output, f32x4.extract_lane(sum, 0) + load<f32>(output));
    const step = four ? 4 : 1;
    columns -= step;
    values += (<usize>step) << 2;
    output += (<usize>step) << 2;
  }
}
