// Additive scores (Bahdanau et al. 2015) of a tile, rows by keys, a register's worth of keys at a time:
//
//   s[i][j] = Σ_d w[d] · tanh(q[i][d] + b[d] + k[j][d])
//
// and their gradients. Queries [⌈rows/4⌉][D][4] with b in them, keys [⌈T/8⌉][D][8], see attend/panels.ts. Sums go over
// d in order.

import { reach } from "../attend/step";
import { Rows } from "../attend/rows";
import { madd } from "../simd/lanes";
import { tanh } from "../simd/tanh";
import { REGISTER_ROWS, TILE_ROW } from "../tiles";
import { VariantAttendFrame } from "./frame";

/** The head's w. */
// @ts-ignore: decorator
@inline
export function weightOf(frame: VariantAttendFrame, h: i32): usize {
  return frame.scoreWeight + ((<usize>h * frame.scoreHead) << 2);
}

/** Adds b to the queries, once they are packed. */
export function addBias(frame: VariantAttendFrame, r: Rows): void {
  if (!frame.biased) return;
  const bias = frame.scoreBias + ((<usize>r.h * frame.scoreHead) << 2);
  const bytes = (<usize>frame.headSize) << 2;
  let at = r.queries;
  for (let i = 0; i < r.rows; i += REGISTER_ROWS) {
    for (let d: usize = 0; d < bytes; d += 4) {
      v128.store(at, f32x4.add(v128.load(at), v128.load32_splat(bias + d)));
      at += 16;
    }
  }
}

/** Scores of the rows' tile of keys, packed at `keys`. */
export function additiveTile(frame: VariantAttendFrame, r: Rows, keys: usize, target: usize): void {
  const depth = frame.headSize;
  const seen = reach(frame, r);
  const weight = weightOf(frame, r.h);
  const panel = (<usize>depth) << 5;
  for (let i = 0; i < r.rows; i++) {
    const query = queryOf(r, i, depth);
    const count = min(seen + (i | (REGISTER_ROWS - 1)), r.columns);
    let b = keys;
    let c = target + <usize>i * TILE_ROW;
    for (let j = 0; j < count; j += 8) {
      let s0 = f32x4.splat(0);
      let s1 = s0;
      let w = weight;
      let q = query;
      for (const end = b + panel; b < end; b += 32) {
        const x = v128.load32_splat(q);
        const v = v128.load32_splat(w);
        s0 = madd(v, tanh(f32x4.add(x, v128.load(b))), s0);
        s1 = madd(v, tanh(f32x4.add(x, v128.load(b, 16))), s1);
        w += 4;
        q += 16;
      }
      v128.store(c, s0);
      v128.store(c, s1, 16);
      c += 32;
    }
  }
}

/** Row i of the packed queries, an element every 16 bytes. */
// @ts-ignore: decorator
@inline
export function queryOf(r: Rows, i: i32, depth: i32): usize {
  const panel = r.queries + ((<usize>(i & ~3) * <usize>depth) << 2);
  return panel + ((<usize>(i & 3)) << 2);
}
