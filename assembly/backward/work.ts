// Where an item of the backward pass stands, what its query head has gathered, and what its tiles use in
// turn:
//
//   scores       [rows][KEYS]    s
//   gradients    [rows][KEYS]    dP, then dS
//   weights      [⌈KEYS/4⌉][rows][4]    P, transposed
//   transposed   [⌈KEYS/4⌉][rows][4]    dS, transposed
//   factors      [KEYS]    of dropout
//   capped       [rows][KEYS]    scores after the soft cap, where there is one
//   before       [2][rows][KEYS] where scores are modified, see modified.ts

import { AttendFrame } from "../attend/frame";
import { tileRows } from "../attend/rows";
import { Tile } from "../attend/tile";
import { Product } from "../gemm/products";
import { TILE_ROW } from "../tiles";


@unmanaged
export class Work extends Tile {
  scores: usize = 0;
  gradients: usize = 0;
  weights: usize = 0;
  transposed: usize = 0;
  factors: usize = 0;
  capped: usize = 0;
  before: usize = 0;
  /** Rows of a transposed panel. */
  panel: usize = 0;
  product: Product = changetype<Product>(0);
  /** The next step: a tile of keys, one of rows. */
  keyTile: i32 = 0;
  rowTile: i32 = 0;
  /** Tiles of rows [begin, end) that may see the tile of keys. */
  begin: i32 = 0;
  end: i32 = 0;
  /** Tiles of rows and of keys. */
  across: i32 = 0;
  down: i32 = 0;
  slopes: f64 = 0;
  sink: f64 = 0;
}

const PRODUCT_AT: usize = (offsetof<Work>() + 15) & ~15;
const HEADER: usize = (PRODUCT_AT + offsetof<Product>() + 63) & ~63;

// @ts-ignore: decorator
@inline
function tileBytes(frame: AttendFrame): usize {
  return <usize>tileRows(frame) * TILE_ROW;
}

/** Bytes of a Work with its numbers, a multiple of 64. */
export function workBytes(frame: AttendFrame): usize {
  const tiles: usize = 4 + (frame.softcap > 0 ? 1 : 0) + (frame.modified ? 2 : 0);
  return (HEADER + tileBytes(frame) * tiles + TILE_ROW + 63) & ~63;
}

export function layOutWork(frame: AttendFrame, w: Work): void {
  w.product = changetype<Product>(changetype<usize>(w) + PRODUCT_AT);
  w.panel = <usize>tileRows(frame);
  w.scores = changetype<usize>(w) + HEADER;
  w.gradients = w.scores + tileBytes(frame);
  w.weights = w.gradients + tileBytes(frame);
  w.transposed = w.weights + tileBytes(frame);
  w.factors = w.transposed + tileBytes(frame);
  w.capped = w.factors + TILE_ROW;
  w.before = w.capped + (frame.softcap > 0 ? tileBytes(frame) : 0);
}
