// One tile of the backward pass (Dao 2023, "FlashAttention-2", algorithm 2), rows by keys:
//
//   P = e^(s − lse)     dP = dO · Vᵀ      dS = P ∘ (dP − delta)
//   dV += Pᵀ · dO       dK += dSᵀ · Q     dQ += dS · K
//
// s are the scores after everything, made anew as forward makes them. On the way back dS is first
// the gradient of masks and ALiBi, then of what went into scoreMod (modified.ts), then, by 1 − (s/cap)², of
// what went into the soft cap. dP + dW stands for dP where weights were returned and have a gradient. With dropout
// factors F: dV += (P ∘ F)ᵀ · dO and dS = P ∘ (F ∘ dP − delta).

import { Mask } from "../attend/frame";
import { tileKeys } from "../attend/panels";
import { dropoutFactors } from "../attend/scores/dropout";
import { biasScores, capScores } from "../attend/scores/scores";
import { matrixRow } from "../attend/scores/weights";
import { Tile } from "../attend/tile";
import { maskAt, maskOffset } from "../attend/visible/mask";
import { reachOf } from "../attend/visible/window";
import { scoreTile, transposedTile, valueTile } from "../gemm/products";
import { AlibiDistance } from "../kinds";
import { exp } from "../simd/exp";
import { ceil8, REGISTER_ROWS, TILE_ROW } from "../tiles";
import { BackwardFrame } from "./frame";
import { keyColumns, keyGradients, valueGradients, valueRows } from "./keys";
import {
  bases,
  deltas,
  gradientColumns,
  gradientRows,
  queryColumns,
  queryGradients,
  queryRows,
} from "./rows";
import { modifyGradients, modifyScores } from "./modified";
import { Work } from "./work";

/** Adds what the tile gives to all gradients. */
export function differentiateTile(
  frame: BackwardFrame,
  w: Work,
  rowTile: usize,
  keyTile: usize,
): void {
  const reach = reachOf(frame, w.position, w.column);
  const capped = frame.softcap > 0;
  const p = w.product;
  p.rows = w.rows;
  p.columns = w.columns;
  p.reach = reach;
  p.depth = frame.headSize;
  p.a = queryRows(frame, rowTile);
  p.b = keyTile;
  p.c = w.scores;
  scoreTile(p);
  if (capped) {
    capScores(frame, w.scores, w.rows, ceil8(w.columns));
    memory.copy(w.capped, w.scores, <usize>w.rows * TILE_ROW);
  }
  if (frame.modified) modifyScores(w);
  biasScores(frame, w, w.scores);
  p.depth = frame.valueSize;
  p.a = gradientRows(frame, rowTile);
  p.b = valueRows(frame, keyTile);
  p.c = w.gradients;
  scoreTile(p);

  for (let i = 0; i < w.rows; i++) {
    const seen = min(reach + (i | (REGISTER_ROWS - 1)), w.columns);
    if (seen <= 0) continue;
    const filled = ceil8(seen);
    const base = load<f32>(bases(frame, rowTile) + ((<usize>i) << 2));
    const delta = load<f32>(deltas(frame, rowTile) + ((<usize>i) << 2));
    const g = w.gradients + <usize>i * TILE_ROW;
    if (frame.weightsGradient) addWeightsGradient(frame, w, i, min(seen, w.columns), g);
    if (frame.dropped) {
      dropoutFactors(frame, w, i, w.column, filled, w.factors);
      differentiate(w, i, filled, base, delta, w.factors);
    } else {
      differentiate(w, i, filled, base, delta, 0);
    }
    // What a row's gradient of NaN or Infinity does to the values that the row sees.
    if (delta - delta != 0) spoil(w, i, filled);
    for (let index = 0; index < frame.maskCount; index++) {
      const mask = maskAt(frame, index);
      if (mask.gradient) addMaskGradient(mask, w, i, min(seen, w.columns), g);
    }
    if (frame.slopesGradient) {
      w.slopes += slopeGradient(frame.distance, g, filled, w.column, w.position + i);
    }
    if (capped && !frame.modified) uncap(w, i, filled, frame.softcap);
  }
  if (frame.modified) {
    modifyGradients(w);
    for (let i = 0; i < w.rows; i++) {
      const seen = min(reach + (i | (REGISTER_ROWS - 1)), w.columns);
      if (capped && seen > 0) uncap(w, i, ceil8(seen), frame.softcap);
    }
  }
  multiplyBack(frame, w, rowTile, keyTile);
}

/** dQ += dS · K, dV += Pᵀ · dO, dK += dSᵀ · Q. */
function multiplyBack(frame: BackwardFrame, w: Work, rowTile: usize, keyTile: usize): void {
  const depthRow = (<usize>ceil8(frame.headSize)) << 2;
  const p = w.product;
  p.a = w.gradients;
  p.b = keyColumns(frame, keyTile);
  p.c = queryGradients(frame, rowTile);
  p.depth = w.columns;
  p.columns = frame.headSize;
  p.panel = <usize>tileKeys(frame);
  p.cRow = depthRow;
  valueTile(p);
  p.panel = w.panel;
  p.a = w.weights;
  p.b = gradientColumns(frame, rowTile);
  p.c = valueGradients(frame, keyTile);
  p.columns = frame.valueSize;
  p.cRow = (<usize>ceil8(frame.valueSize)) << 2;
  transposedTile(p);
  p.a = w.transposed;
  p.b = queryColumns(frame, rowTile);
  p.c = keyGradients(frame, keyTile);
  p.columns = frame.headSize;
  p.cRow = depthRow;
  transposedTile(p);
}

/**
 * Row i: dP becomes dS in place, and the weights and dS go to the transposed tiles, four keys every
 * `panel` × 16 bytes. A key that is left out gives 0 by replacement: 0 · NaN would let it through.
 */
// @ts-ignore: decorator
@inline
function differentiate(w: Work, i: i32, count: i32, base: f32, delta: f32, factors: usize): void {
  const lse = f32x4.splat(base);
  const d = f32x4.splat(delta);
  const hidden = f32x4.splat(-(<f32>Infinity));
  let scores = w.scores + <usize>i * TILE_ROW;
  let gradients = w.gradients + <usize>i * TILE_ROW;
  let weights = w.weights + ((<usize>i) << 4);
  let transposed = w.transposed + ((<usize>i) << 4);
  const step = w.panel << 4;
  const end = scores + ((<usize>count) << 2);
  for (; scores < end; scores += 16) {
    const s = v128.load(scores);
    const p = exp(f32x4.sub(s, lse));
    let weight = p;
    let dp = v128.load(gradients);
    if (factors) {
      const factor = v128.load(factors);
      weight = f32x4.mul(p, factor);
      dp = f32x4.mul(dp, factor);
      factors += 16;
    }
    const g = v128.and(f32x4.mul(p, f32x4.sub(dp, d)), f32x4.ne(s, hidden));
    v128.store(gradients, g);
    v128.store(weights, weight);
    v128.store(transposed, g);
    gradients += 16;
    weights += step;
    transposed += step;
  }
}

/** NaN for the weight of every key that row i sees. */
function spoil(w: Work, i: i32, count: i32): void {
  const nan = f32x4.splat(NaN);
  const hidden = f32x4.splat(-(<f32>Infinity));
  const scores = w.scores + <usize>i * TILE_ROW;
  let weights = w.weights + ((<usize>i) << 4);
  for (let j: usize = 0; j < (<usize>count) << 2; j += 16) {
    v128.store(weights, v128.and(nan, f32x4.ne(v128.load(scores + j), hidden)));
    weights += w.panel << 4;
  }
}

/** dS · d(cap · tanh(s/cap))/ds = dS · (1 − (capped/cap)²). */
function uncap(w: Work, i: i32, count: i32, cap: f32): void {
  const one = f32x4.splat(1);
  const by = f32x4.splat(cap);
  const zero = f32x4.splat(0);
  const capped = w.capped + <usize>i * TILE_ROW;
  const gradients = w.gradients + <usize>i * TILE_ROW;
  let transposed = w.transposed + ((<usize>i) << 4);
  for (let j: usize = 0; j < (<usize>count) << 2; j += 16) {
    const t = f32x4.div(v128.load(capped + j), by);
    const slope = f32x4.mul(f32x4.sub(one, t), f32x4.add(one, t));
    const g = v128.load(gradients + j);
    // A key that is left out may have a score of NaN.
    const changed = v128.bitselect(zero, f32x4.mul(g, slope), f32x4.eq(g, zero));
    v128.store(gradients + j, changed);
    v128.store(transposed, changed);
    transposed += w.panel << 4;
  }
}

/** dP + dW of row i. */
function addWeightsGradient(
  frame: BackwardFrame,
  w: Work,
  i: i32,
  count: i32,
  target: usize,
): void {
  const first = <usize>i * <usize>frame.keys + <usize>w.column;
  const given = matrixRow(frame, frame.weightsGradient, w) + (first << 2);
  for (let j: usize = 0; j < (<usize>count) << 2; j += 4) {
    store<f32>(target + j, load<f32>(target + j) + load<f32>(given + j));
  }
}

/** Adds row i to a mask's gradient: over the keys first where one number stands for all. */
export function addMaskGradient(
  mask: Mask,
  tile: Tile,
  i: i32,
  count: i32,
  gradients: usize,
): void {
  const target = mask.gradient + (maskOffset(mask, tile, i) << 2);
  const covered = (<usize>max(min(count, mask.columns - tile.column), 0)) << 2;
  if (mask.column) {
    for (let j: usize = 0; j < covered; j += 4) {
      store<f32>(target + j, load<f32>(target + j) + load<f32>(gradients + j));
    }
    return;
  }
  let sum: f64 = 0;
  for (let j: usize = 0; j < covered; j += 4) sum += load<f32>(gradients + j);
  store<f32>(target, <f32>(<f64>load<f32>(target) + sum));
}

/** Σ dS · distance of one row; the distances are those of addAlibi in attend/scores/scores.ts. */
export function slopeGradient(
  distance: i32,
  gradients: usize,
  count: i32,
  column: i32,
  position: i32,
): f64 {
  let sum: f64 = 0;
  for (let j = 0; j < count; j++) {
    const key = column + j;
    const steps =
      distance == AlibiDistance.key
        ? key
        : distance == AlibiDistance.signed
          ? key - position
          : -abs(position - key);
    sum += <f64>load<f32>(gradients + ((<usize>j) << 2)) * <f64>steps;
  }
  return sum;
}
