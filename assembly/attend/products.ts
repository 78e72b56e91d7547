// The products of a tile, in register blocks:
//   scores [rows × KEYS] = Q · Kᵀ          output [rows × ⌈Dv⌉₈] += P · V
// and backward the same two as dP = dO · Vᵀ and dQ += dS · K, besides dV += Pᵀ · dO, dK += dSᵀ · Q.
// Rows are computed four at a time; the tile has room for the rows past the last. Row i sees the
// first `reach + i` keys at most: blocks that no row sees are left as they are, and their weights,
// all 0, are not multiplied.

import { multiply4x8 } from "../gemm/kernel";
import { madd } from "../simd/lanes";
import { KEYS, REGISTER_COLUMNS, REGISTER_ROWS, SCORE_SUM, VALUE_SUM } from "../tiles";

const TILE_ROW: usize = (<usize>KEYS) << 2;

/** queries [⌈rows/4⌉][depth][4], keys [⌈columns/8⌉][depth][8]. */
export function scoreTile(
  queries: usize,
  keys: usize,
  depth: i32,
  rows: i32,
  columns: i32,
  reach: i32,
  scores: usize,
): void {
  const queryPanel = (<usize>depth) << 4;
  const keyPanel = (<usize>depth) << 5;
  for (let j = 0; j < columns; j += REGISTER_COLUMNS) {
    const first = max(j + 1 - reach, 0) & ~(REGISTER_ROWS - 1);
    let a = queries + <usize>(first / REGISTER_ROWS) * queryPanel;
    let c = scores + ((<usize>j) << 2) + <usize>first * TILE_ROW;
    for (let i = first; i < rows; i += REGISTER_ROWS) {
      multiply4x8(a, true, keys, depth, SCORE_SUM, c, TILE_ROW, false);
      a += queryPanel;
      c += TILE_ROW * REGISTER_ROWS;
    }
    keys += keyPanel;
  }
}

/** values: panels of eight columns and `keys` rows, `panel` bytes apart; output rows are outputRow bytes apart. */
export function valueTile(
  weights: usize,
  values: usize,
  panel: usize,
  keys: i32,
  rows: i32,
  columns: i32,
  reach: i32,
  output: usize,
  outputRow: usize,
): void {
  for (let j = 0; j < columns; j += REGISTER_COLUMNS) {
    let a = weights;
    let c = output + ((<usize>j) << 2);
    for (let i = 0; i < rows; i += REGISTER_ROWS) {
      const seen = max(min(reach + i + REGISTER_ROWS - 1, keys), 0);
      multiply4x8(a, false, values, seen, VALUE_SUM, c, outputRow, true);
      a += TILE_ROW * REGISTER_ROWS;
      c += outputRow * REGISTER_ROWS;
    }
    values += panel;
  }
}

/**
 * gradient [keys × columns] += Wᵀ · values, with W the tile's weights or score gradients turned:
 * weights [⌈keys/4⌉][panel][4], values [⌈columns/8⌉][panel][8]. Rows that do not see a block of keys
 * are left out, as above.
 */
export function turnedTile(
  weights: usize,
  values: usize,
  panel: usize,
  keys: i32,
  rows: i32,
  columns: i32,
  reach: i32,
  gradient: usize,
  gradientRow: usize,
): void {
  for (let j = 0; j < keys; j += REGISTER_ROWS) {
    const first = max((j & ~(REGISTER_COLUMNS - 1)) + 1 - reach, 0) & ~(REGISTER_ROWS - 1);
    const count = rows - first;
    if (count > 0) {
      const a = weights + ((<usize>first) << 4);
      let b = values + ((<usize>first) << 5);
      let c = gradient;
      for (let i = 0; i < columns; i += REGISTER_COLUMNS) {
        multiply4x8(a, true, b, count, VALUE_SUM, c, gradientRow, true);
        b += panel << 5;
        c += 32;
      }
    }
    weights += panel << 4;
    gradient += gradientRow * REGISTER_ROWS;
  }
}

/**
 * valueTile where values hold NaN or Infinity: a key that is left out (score −∞) is
 * skipped, since 0 · NaN would let it through.
 */
export function valueTileSkipping(
  scores: usize,
  weights: usize,
  values: usize,
  panel: usize,
  keys: i32,
  rows: i32,
  columns: i32,
  output: usize,
  outputRow: usize,
): void {
  for (let i: usize = 0; i < <usize>rows; i++) {
    const row = i * TILE_ROW;
    let source = values;
    let target = output + i * outputRow;
    for (let j = 0; j < columns; j += REGISTER_COLUMNS) {
      let s0 = f32x4.splat(0);
      let s1 = s0;
      for (let k: usize = 0; k < <usize>keys; k++) {
        const at = row + (k << 2);
        if (load<f32>(scores + at) == -(<f32>Infinity)) continue;
        const weight = v128.load32_splat(weights + at);
        s0 = madd(weight, v128.load(source + (k << 5)), s0);
        s1 = madd(weight, v128.load(source + (k << 5), 16), s1);
      }
      v128.store(target, f32x4.add(s0, v128.load(target)));
      v128.store(target, f32x4.add(s1, v128.load(target, 16)), 16);
      source += panel;
      target += 32;
    }
  }
}
