// The scores of one query row with keys where they lie: nothing is packed, K is read once. The sums run in
// the order of the tile's products, so the bits are the same.
//
// scores [count] = q · Kᵀ, eight keys at a time, four numbers of each transposed in registers.

import { madd } from "../../simd/lanes";
import { SCORE_SUM } from "../../tiles";

/** `query` is packed four rows wide, its first row is read; keys lie at a stride of `stride` bytes. */
export function scoreRow(
  query: usize,
  keys: usize,
  stride: usize,
  depth: i32,
  count: i32,
  scores: usize,
): void {
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
    let second0 = sum0;
    let second1 = sum0;
    const end = (<usize>(i + SCORE_SUM)) << 2;
    for (let at = (<usize>i) << 2; at < end; at += 16) {
      const q = query + (at << 2);
      sum0 = addFour(q, k0 + at, k1 + at, k2 + at, k3 + at, sum0);
      sum1 = addFour(q, k4 + at, k5 + at, k6 + at, k7 + at, sum1);
      const next = q + SCORE_SUM * 16;
      const on = at + SCORE_SUM * 4;
      second0 = addFour(next, k0 + on, k1 + on, k2 + on, k3 + on, second0);
      second1 = addFour(next, k4 + on, k5 + on, k6 + on, k7 + on, second1);
    }
    total0 = f32x4.add(second0, i ? f32x4.add(sum0, total0) : sum0);
    total1 = f32x4.add(second1, i ? f32x4.add(sum1, total1) : sum1);
  }
  while (i < depth) {
    const end = min(i + SCORE_SUM, depth);
    let sum0 = f32x4.splat(0);
    let sum1 = sum0;
    for (; i + 4 <= end; i += 4) {
      const at = (<usize>i) << 2;
      const q = query + (at << 2);
      sum0 = addFour(q, k0 + at, k1 + at, k2 + at, k3 + at, sum0);
      sum1 = addFour(q, k4 + at, k5 + at, k6 + at, k7 + at, sum1);
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

/** sum + four numbers of the query, from `q` on, by four numbers of four keys, transposed in registers. */
// @ts-ignore: decorator
@inline
function addFour(q: usize, k0: usize, k1: usize, k2: usize, k3: usize, sum: v128): v128 {
  const a0 = v128.load(k0);
  const a1 = v128.load(k1);
  const a2 = v128.load(k2);
  const a3 = v128.load(k3);
  const low01 = v128.shuffle<f32>(a0, a1, 0, 4, 1, 5);
  const high01 = v128.shuffle<f32>(a0, a1, 2, 6, 3, 7);
  const low23 = v128.shuffle<f32>(a2, a3, 0, 4, 1, 5);
  const high23 = v128.shuffle<f32>(a2, a3, 2, 6, 3, 7);
  let s = madd(v128.load32_splat(q), v128.shuffle<f32>(low01, low23, 0, 1, 4, 5), sum);
  s = madd(v128.load32_splat(q, 16), v128.shuffle<f32>(low01, low23, 2, 3, 6, 7), s);
  s = madd(v128.load32_splat(q, 32), v128.shuffle<f32>(high01, high23, 0, 1, 4, 5), s);
  return madd(v128.load32_splat(q, 48), v128.shuffle<f32>(high01, high23, 2, 3, 6, 7), s);
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
