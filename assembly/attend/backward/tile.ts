// One tile of the backward pass (Dao 2023, "FlashAttention-2", algorithm 2), rows by keys:
//
//   P = e^(s − lse)     dP = dO · Vᵀ      dS = P ∘ (dP − delta)
//   dV += Pᵀ · dO       dK += dSᵀ · Q     dQ += dS · K
//
// s are the scores after everything, made anew as forward makes them. On the way back dS is first
// the gradient of masks and ALiBi, then, by 1 − (s/cap)², of what went into the soft cap. With dropout
// factors F: dV += (P ∘ F)ᵀ · dO and dS = P ∘ (F ∘ dP − delta).

import { AlibiDistance, MaskField, Slot } from "../../frame";
import { exp } from "../../simd/exp";
import { address, number, size } from "../../slots";
import { KEYS, REGISTER_ROWS } from "../../tiles";
import { dropoutRow } from "../dropout";
import { firstMask, maskElement, masksEnd, nextMask } from "../mask";
import { ceil8 } from "../panels";
import { scoreTile, turnedTile, valueTile } from "../products";
import { tileRows } from "../rows";
import { biasScores, capScores } from "../scores";
import { reachOf } from "../window";
import { keyColumns, keyGradients, tileKeys, valueGradients, valueRows } from "./keys";
import {
  bases,
  deltas,
  gradientColumns,
  gradientRows,
  queryColumns,
  queryGradients,
  queryRows,
} from "./rows";

const ROW: usize = (<usize>KEYS) << 2;

// @ts-ignore: decorator
@inline
function tileBytes(frame: usize): usize {
  return <usize>tileRows(frame) * ROW;
}

/** Bytes that every tile uses in turn: s, dS, P and dS turned, capped scores, a row of factors. */
export function workBytes(frame: usize): u64 {
  return <u64>tileBytes(frame) * (number(frame, Slot.softcap) > 0 ? 5 : 4) + ROW;
}

/** Gives what the tile adds to the slope's gradient. */
export function takeTile(
  frame: usize,
  work: usize,
  b: i32,
  h: i32,
  start: i32,
  rows: i32,
  from: i32,
  count: i32,
  position: i32,
  keys: i32,
  rowTile: usize,
  keyTile: usize,
): f64 {
  const scores = work;
  const gradients = scores + tileBytes(frame);
  const turnedWeights = gradients + tileBytes(frame);
  const turnedGradients = turnedWeights + tileBytes(frame);
  const factors = turnedGradients + tileBytes(frame);
  const capped = factors + ROW;
  const depth = size(frame, Slot.headSize);
  const columns = size(frame, Slot.valueSize);
  const reach = reachOf(frame, position, from);
  const softcap = number(frame, Slot.softcap) > 0;
  const dropped = size(frame, Slot.dropped) != 0;
  const panel = <usize>tileRows(frame);

  scoreTile(queryRows(frame, rowTile), keyTile, depth, rows, count, reach, scores);
  if (softcap) {
    capScores(frame, scores, rows, ceil8(count));
    memory.copy(capped, scores, <usize>rows * ROW);
  }
  biasScores(frame, scores, b, h, start, rows, from, count, position, keys);
  const values = valueRows(frame, keyTile);
  scoreTile(gradientRows(frame, rowTile), values, columns, rows, count, reach, gradients);

  let slopes: f64 = 0;
  for (let i = 0; i < rows; i++) {
    const seen = min(reach + (i | (REGISTER_ROWS - 1)), count);
    if (seen <= 0) continue;
    const at = <usize>i * ROW;
    const filled = ceil8(seen);
    const turned = (<usize>i) << 4;
    const base = load<f32>(bases(frame, rowTile) + ((<usize>i) << 2));
    const delta = load<f32>(deltas(frame, rowTile) + ((<usize>i) << 2));
    const s = scores + at;
    const g = gradients + at;
    const w = turnedWeights + turned;
    const t = turnedGradients + turned;
    if (dropped) {
      dropoutRow(frame, b, h, start + i, from, filled, factors);
      differentiate(s, g, filled, base, delta, factors, w, t, panel);
    } else {
      differentiate(s, g, filled, base, delta, 0, w, t, panel);
    }
    // What a row's gradient of NaN or Infinity does to the values that the row sees.
    if (delta - delta != 0) spoil(s, filled, w, panel);
    for (let mask = firstMask(frame); mask < masksEnd(frame); mask = nextMask(mask)) {
      if (address(mask, MaskField.gradient)) {
        addMaskGradient(mask, b, h, start + i, from, min(seen, count), g);
      }
    }
    if (address(frame, Slot.slopesGradient)) {
      slopes += slopeGradient(size(frame, Slot.distance), g, filled, from, position + i);
    }
    if (softcap) uncap(capped + at, g, filled, number(frame, Slot.softcap), t, panel);
  }

  const row = (<usize>ceil8(depth)) << 2;
  const keyPanel = (<usize>tileKeys(frame)) << 5;
  valueTile(
    gradients,
    keyColumns(frame, keyTile),
    keyPanel,
    count,
    rows,
    depth,
    reach,
    queryGradients(frame, rowTile),
    row,
  );
  turnedTile(
    turnedWeights,
    gradientColumns(frame, rowTile),
    panel,
    count,
    rows,
    columns,
    reach,
    valueGradients(frame, keyTile),
    (<usize>ceil8(columns)) << 2,
  );
  turnedTile(
    turnedGradients,
    queryColumns(frame, rowTile),
    panel,
    count,
    rows,
    depth,
    reach,
    keyGradients(frame, keyTile),
    row,
  );
  return slopes;
}

/**
 * One row: dP becomes dS in place, and the weights and dS go to the turned tiles, four keys every
 * `panel` × 16 bytes. A key that is left out gives 0 by replacement: 0 · NaN would let it through.
 */
// @ts-ignore: decorator
@inline
function differentiate(
  scores: usize,
  gradients: usize,
  count: i32,
  base: f32,
  delta: f32,
  factors: usize,
  turnedWeights: usize,
  turnedGradients: usize,
  panel: usize,
): void {
  const lse = f32x4.splat(base);
  const d = f32x4.splat(delta);
  const hidden = f32x4.splat(-(<f32>Infinity));
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
    v128.store(turnedWeights, weight);
    v128.store(turnedGradients, g);
    gradients += 16;
    turnedWeights += panel << 4;
    turnedGradients += panel << 4;
  }
}

/** NaN for the weight of every key that the row sees. */
function spoil(scores: usize, count: i32, turnedWeights: usize, panel: usize): void {
  const nan = f32x4.splat(NaN);
  const hidden = f32x4.splat(-(<f32>Infinity));
  for (let j: usize = 0; j < (<usize>count) << 2; j += 16) {
    v128.store(turnedWeights, v128.and(nan, f32x4.ne(v128.load(scores + j), hidden)));
    turnedWeights += panel << 4;
  }
}

/** dS · d(cap · tanh(s/cap))/ds = dS · (1 − (capped/cap)²). */
function uncap(
  capped: usize,
  gradients: usize,
  count: i32,
  cap: f32,
  turnedGradients: usize,
  panel: usize,
): void {
  const one = f32x4.splat(1);
  const by = f32x4.splat(cap);
  const zero = f32x4.splat(0);
  for (let j: usize = 0; j < (<usize>count) << 2; j += 16) {
    const t = f32x4.div(v128.load(capped + j), by);
    const slope = f32x4.mul(f32x4.sub(one, t), f32x4.add(one, t));
    const g = v128.load(gradients + j);
    // A key that is left out may have a score of NaN.
    const changed = v128.bitselect(zero, f32x4.mul(g, slope), f32x4.eq(g, zero));
    v128.store(gradients + j, changed);
    v128.store(turnedGradients, changed);
    turnedGradients += panel << 4;
  }
}

/** Adds one row to a mask's gradient: over the keys first where one number stands for all. */
function addMaskGradient(
  mask: usize,
  b: i32,
  h: i32,
  row: i32,
  column: i32,
  count: i32,
  gradients: usize,
): void {
  const target = maskElement(mask, MaskField.gradient, b, h, row, column, 2);
  const covered = (<usize>max(min(count, size(mask, MaskField.columns) - column), 0)) << 2;
  if (address(mask, MaskField.column)) {
    for (let j: usize = 0; j < covered; j += 4) {
      store<f32>(target + j, load<f32>(target + j) + load<f32>(gradients + j));
    }
    return;
  }
  let sum: f64 = 0;
  for (let j: usize = 0; j < covered; j += 4) sum += load<f32>(gradients + j);
  store<f32>(target, <f32>(<f64>load<f32>(target) + sum));
}

/** Σ dS · distance of one row; the distances are those of addAlibi in scores.ts. */
function slopeGradient(
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
