// Gradients of additive scores, with t = tanh(q + b + k) and g that of a score:
//
//   dk[d] += g · w[d] · (1 − t²)     dq[d], db[d] likewise over keys     dw[d] += g · t
//
// The keys' are summed in panels like the keys', rows' and w's four keys side by side.

import { tileKeyPanels } from "../attend/panels";
import { Rows } from "../attend/rows";
import { madd, sumLanes } from "../simd/lanes";
import { tanh } from "../simd/tanh";
import { ceil8, TILE_ROW } from "../tiles";
import { queryOf, weightOf } from "./additive";
import { VariantAttendFrame } from "./frame";
import { headIndex, panelsOf } from "./strip";
import { Sides } from "./strip-sides";

/** Adds what the rows' tile of keys gives; `gradients` is of its scores, `keys` of the head's keys. */
export function additiveBackTile(
  frame: VariantAttendFrame,
  r: Rows,
  s: Sides,
  gradients: usize,
  keys: usize,
): void {
  const depth = <usize>frame.headSize;
  const panels = tileKeyPanels(panelsOf(frame, headIndex(frame, r), r.column));
  const first = keys + ((<usize>(r.column >> 3) * depth) << 5);
  const row = (<usize>ceil8(frame.headSize)) << 2;
  for (let i = 0; i < r.rows; i++) {
    memory.fill(s.sums, 0, depth << 5);
    const query = queryOf(r, i, frame.headSize);
    const g = gradients + <usize>i * TILE_ROW;
    let any = false;
    for (let j: usize = 0; j < <usize>r.columns; j += 8) {
      const offset = ((j >> 3) * depth) << 5;
      const g0 = v128.load(g + (j << 2));
      const g1 = v128.load(g + (j << 2), 16);
      if (!v128.any_true(v128.or(g0, g1))) continue;
      any = true;
      s.panel = panels + offset;
      s.target = first + offset;
      backPanel(frame, r, s, g + (j << 2), query);
    }
    if (any) addRow(frame, r, s, s.queryGradients + <usize>i * row);
  }
}

// @ts-ignore: decorator
@inline
function backPanel(
  frame: VariantAttendFrame,
  r: Rows,
  s: Sides,
  gradients: usize,
  query: usize,
): void {
  const sums = s.sums;
  let keys = s.panel;
  let target = s.target;
  const zero = f32x4.splat(0);
  const one = f32x4.splat(1);
  const g0 = v128.load(gradients);
  const g1 = v128.load(gradients, 16);
  // A key that is left out may hold NaN.
  const seen0 = f32x4.ne(g0, zero);
  const seen1 = f32x4.ne(g1, zero);
  let weight = weightOf(frame, r.h);
  const end = keys + ((<usize>frame.headSize) << 5);
  const products = sums + ((<usize>frame.headSize) << 4);
  let at: usize = 0;
  for (; keys < end; keys += 32) {
    const x = v128.load32_splat(query);
    const t0 = tanh(f32x4.add(x, v128.load(keys)));
    const t1 = tanh(f32x4.add(x, v128.load(keys, 16)));
    const u0 = v128.and(f32x4.mul(g0, f32x4.sub(one, f32x4.mul(t0, t0))), seen0);
    const u1 = v128.and(f32x4.mul(g1, f32x4.sub(one, f32x4.mul(t1, t1))), seen1);
    const w = v128.load32_splat(weight);
    v128.store(target, madd(w, u0, v128.load(target)));
    v128.store(target, madd(w, u1, v128.load(target, 16)), 16);
    v128.store(sums + at, f32x4.add(v128.load(sums + at), f32x4.add(u0, u1)));
    const p0 = v128.and(f32x4.mul(g0, t0), seen0);
    const p1 = v128.and(f32x4.mul(g1, t1), seen1);
    v128.store(products + at, f32x4.add(v128.load(products + at), f32x4.add(p0, p1)));
    query += 16;
    weight += 4;
    target += 32;
    at += 16;
  }
}

/** A row's sums over a tile of keys. */
function addRow(frame: VariantAttendFrame, r: Rows, s: Sides, queries: usize): void {
  const depth = <usize>frame.headSize;
  const weight = weightOf(frame, r.h);
  const total = frame.scoreWeightGradient + ((<usize>(r.b * frame.heads + r.h) * depth) << 2);
  for (let d: usize = 0; d < depth; d++) {
    const at = d << 2;
    const own = sumLanes(v128.load(s.sums + (d << 4))) * load<f32>(weight + at);
    store<f32>(queries + at, load<f32>(queries + at) + own);
    const product = sumLanes(v128.load(s.sums + ((depth + d) << 4)));
    store<f32>(total + at, load<f32>(total + at) + product);
  }
}

/** Adds the rows' gradients to that of b. */
export function additiveBackRows(frame: VariantAttendFrame, r: Rows, s: Sides): void {
  const depth = <usize>frame.headSize;
  const total = frame.scoreBiasGradient + ((<usize>(r.b * frame.heads + r.h) * depth) << 2);
  const row = (<usize>ceil8(frame.headSize)) << 2;
  for (let i = 0; i < r.rows; i++) {
    const source = s.queryGradients + <usize>i * row;
    for (let at: usize = 0; at < depth << 2; at += 4) {
      store<f32>(total + at, load<f32>(total + at) + load<f32>(source + at));
    }
  }
}
