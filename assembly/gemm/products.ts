// The products of a tile, in register blocks:
//
//   scoreTile        C [rows × columns] = A · Bᵀ          scores = Q · Kᵀ
//   valueTile        C [rows × columns] += A · B          output += P · V
//   transposedTile   C [depth × columns] += Aᵀ · B        dV += Pᵀ · dO
//
// One side of each is a tile of scores or weights, [rows][TILE_ROW bytes]. Rows are computed four at a
// time; the tile includes the rows past the last. Row i sees the first `reach + i` keys at most:
// blocks that no row sees are left as they are, and their weights, all 0, are not multiplied.

import { madd } from "../simd/lanes";
import { REGISTER_COLUMNS, REGISTER_ROWS, SCORE_SUM, TILE_ROW, VALUE_SUM } from "../tiles";
import { ADD, multiply4x8, PACKED } from "./kernel";

/** Addresses and sizes of one product, laid out as its function says. */
@unmanaged
export class Product {
  a: usize = 0;
  b: usize = 0;
  c: usize = 0;
  rows: i32 = 0;
  columns: i32 = 0;
  /** What is summed over. */
  depth: i32 = 0;
  reach: i32 = 0;
  /** Rows of a panel of B; bytes between the rows of C. */
  panel: usize = 0;
  cRow: usize = 0;
}

/** a [⌈rows/4⌉][depth][4], b [⌈columns/8⌉][depth][8], c a tile of scores. */
export function scoreTile(p: Product): void {
  const depth = p.depth;
  const aPanel = (<usize>depth) << 4;
  let b = p.b;
  for (let j = 0; j < p.columns; j += REGISTER_COLUMNS) {
    const first = max(j + 1 - p.reach, 0) & ~(REGISTER_ROWS - 1);
    let a = p.a + <usize>(first / REGISTER_ROWS) * aPanel;
    let c = p.c + ((<usize>j) << 2) + <usize>first * TILE_ROW;
    for (let i = first; i < p.rows; i += REGISTER_ROWS) {
      multiply4x8(a, b, depth, c, TILE_ROW, SCORE_SUM | PACKED);
      a += aPanel;
      c += TILE_ROW * REGISTER_ROWS;
    }
    b += (<usize>depth) << 5;
  }
}

/** a a tile of weights, b [⌈columns/8⌉][panel][8]. */
export function valueTile(p: Product): void {
  const cRow = p.cRow;
  let b = p.b;
  for (let j = 0; j < p.columns; j += REGISTER_COLUMNS) {
    let a = p.a;
    let c = p.c + ((<usize>j) << 2);
    for (let i = 0; i < p.rows; i += REGISTER_ROWS) {
      const seen = max(min(p.reach + i + REGISTER_ROWS - 1, p.depth), 0);
      multiply4x8(a, b, seen, c, cRow, VALUE_SUM | ADD);
      a += TILE_ROW * REGISTER_ROWS;
      c += cRow * REGISTER_ROWS;
    }
    b += p.panel << 5;
  }
}

/**
 * a [⌈depth/4⌉][panel][4], a tile of weights or score gradients transposed; b [⌈columns/8⌉][panel][8].
 * Rows that do not see a block of keys are left out.
 */
export function transposedTile(p: Product): void {
  const cRow = p.cRow;
  let a = p.a;
  let target = p.c;
  for (let j = 0; j < p.depth; j += REGISTER_ROWS) {
    const unseen = max((j & ~(REGISTER_COLUMNS - 1)) + 1 - p.reach, 0);
    const first = unseen & ~(REGISTER_ROWS - 1);
    const count = p.rows - first;
    if (count > 0) {
      let b = p.b + ((<usize>first) << 5);
      let c = target;
      for (let i = 0; i < p.columns; i += REGISTER_COLUMNS) {
        multiply4x8(a + ((<usize>first) << 4), b, count, c, cRow, VALUE_SUM | PACKED | ADD);
        b += p.panel << 5;
        c += 32;
      }
    }
    a += p.panel << 4;
    target += cRow * REGISTER_ROWS;
  }
}

/**
 * valueTile where values hold NaN or Infinity: a key that is left out (−∞ in `scores`, of which the
 * weights were made) is skipped, since 0 · NaN would let it through.
 */
export function valueTileSkipping(p: Product, scores: usize): void {
  for (let i: usize = 0; i < <usize>p.rows; i++) {
    const row = i * TILE_ROW;
    let source = p.b;
    let target = p.c + i * p.cRow;
    for (let j = 0; j < p.columns; j += REGISTER_COLUMNS) {
      let s0 = f32x4.splat(0);
      let s1 = s0;
      for (let k: usize = 0; k < <usize>p.depth; k++) {
        const at = row + (k << 2);
        if (load<f32>(scores + at) == -(<f32>Infinity)) continue;
        const weight = v128.load32_splat(p.a + at);
        s0 = madd(weight, v128.load(source + (k << 5)), s0);
        s1 = madd(weight, v128.load(source + (k << 5), 16), s1);
      }
      v128.store(target, f32x4.add(s0, v128.load(target)));
      v128.store(target, f32x4.add(s1, v128.load(target, 16)), 16);
      source += p.panel << 5;
      target += 32;
    }
  }
}
