// Gradients of what strip-attend.ts computes, of a key and value head at a time (Dao 2023, "FlashAttention-2"):
//
//   dP = dO · Vᵀ + dW     dS = gradient of the normaliser     dV += Pᵀ · dO
//   dQ += dS · K, dK += dSᵀ · Q, or those of additive scores (additive-backward.ts)
//
// dW is the gradient of returned weights. Keys whose weight is 0 have no gradient, whatever they hold. Items: tiles of
// keys and values that are packed; then a head with all rows that read it, one tile of them after another.

import { queryStrides } from "../attend/frame";
import { allHeads, groupSize } from "../attend/heads";
import { Rows, tileRows } from "../attend/rows";
import { matrixRow } from "../attend/scores/weights";
import { blockOf, productOf } from "../attend/scratch";
import { scoreTile, transposedTile, valueTile } from "../gemm/products";
import { rowAt } from "../strided";
import { backwardReady as headReady, itemBatch, itemHead } from "../backward/order";
import { ceil8, KEYS, ROWS, TILE_ROW, tilesOf } from "../tiles";
import { additiveBackRows, additiveBackTile } from "./additive-backward";
import { EntmaxRow } from "./entmax";
import { VariantAttendFrame } from "./frame";
import { sparseBackward } from "./sparse";
import {
  beginStrip,
  describeRow,
  headIndex,
  layOutStrip,
  packItem,
  packItems,
  panelBytes,
  scoreStrip,
  Strip,
  stripBytes,
  stripRows,
  stripTile,
  stripTileBytes,
} from "./strip";
import { weighStrip } from "./strip-attend";
import { addToHead, biasGradients } from "./strip-bias";
import { modifiedTransposed, modifyScoreGradients, modifyWeightGradients } from "./strip-modified";
import {
  clearHead,
  finishHead,
  headGradientBytes,
  keyGradientsOf,
  layOutSides,
  packKeys,
  packRowSides,
  packValues,
  sideBytes,
  Sides,
  transposeTile,
  valueGradientsOf,
} from "./strip-sides";

// @ts-ignore: decorator
@inline
function sharedBytes(frame: VariantAttendFrame): f64 {
  return panelBytes(frame) + <f64>allHeads(frame) * headGradientBytes(frame);
}

// @ts-ignore: decorator
@inline
function threadBytes(frame: VariantAttendFrame): f64 {
  const tiles = <f64>tilesOf(frame.keys, KEYS) * <f64>stripTileBytes(frame);
  return stripBytes(frame) + tiles + sideBytes(frame);
}

export function backwardScratchBytes(frame: VariantAttendFrame): f64 {
  return sharedBytes(frame) + <f64>frame.threads * threadBytes(frame);
}

export function backwardItems(frame: VariantAttendFrame): f64 {
  return <f64>packItems(frame) + <f64>allHeads(frame);
}

export function backwardReady(frame: VariantAttendFrame, item: i32): i32 {
  const packed = packItems(frame);
  return item < packed ? 0 : packed + headReady(frame, item - packed);
}

/** Of a head, the tile of rows number `from`; gives that to go on with. */
export function backwardRun(frame: VariantAttendFrame, item: i32, thread: i32, from: i32): i32 {
  const packed = packItems(frame);
  if (item < packed) {
    packItem(frame, item);
    return 0;
  }
  const b = itemBatch(frame, item - packed);
  const head = itemHead(frame, item - packed);
  const index = b * frame.keyValueHeads + head;
  const mine = frame.scratch + <usize>(sharedBytes(frame) + <f64>thread * threadBytes(frame));
  const strip = layOutStrip(frame, mine);
  const gradients = mine + <usize>stripBytes(frame);
  const tiles = tilesOf(frame.queries, ROWS);
  const sides = layOutSides(
    frame,
    gradients + <usize>tilesOf(frame.keys, KEYS) * stripTileBytes(frame),
  );
  if (!from) clearHead(frame, index, frame.scratch + <usize>panelBytes(frame));
  const count = groupSize(frame) * tiles;
  if (from < count) {
    const h = head * groupSize(frame) + from / tiles;
    const rows = (b * frame.heads + h) * tiles + (from % tiles);
    if (beginStrip(frame, strip, rows)) backRows(frame, strip, gradients, sides);
  }
  if (from + 1 < count) return from + 1;
  finishHead(frame, index, frame.scratch + <usize>panelBytes(frame));
  return 0;
}

function backRows(frame: VariantAttendFrame, strip: Strip, gradients: usize, s: Sides): void {
  const r = stripRows(strip);
  let key = 0;
  do {
    key = scoreStrip(frame, strip, key);
  } while (key);
  weighStrip(frame, strip);
  packRowSides(frame, r, s);
  const head = frame.scratch + <usize>panelBytes(frame);
  for (let index = 0; index < strip.count; index++) {
    const gradient = gradients + <usize>index * stripTileBytes(frame);
    weightGradients(frame, strip, s, index, gradient);
    if (!frame.weighed) continue;
    modifiedTransposed(frame, strip, index, s.transposed, <usize>tileRows(frame));
    addValueTile(frame, strip, s, head);
    modifyWeightGradients(frame, strip, index, gradient);
  }
  normaliserGradients(frame, strip, gradients);
  biasGradients(frame, strip, gradients);
  for (let index = 0; index < strip.count; index++) {
    const weights = stripTile(frame, strip, index);
    const gradient = gradients + <usize>index * stripTileBytes(frame);
    if (!frame.weighed) {
      transposeTile(weights, r, s.transposed, <usize>tileRows(frame));
      addValueTile(frame, strip, s, head);
    }
    if (frame.modified || frame.softcap > 0) modifyScoreGradients(frame, strip, index, gradient);
    addScoreTile(frame, strip, s, gradient, head);
  }
  finishQueries(frame, r, s);
}

/** dP of a tile of keys. */
function weightGradients(
  frame: VariantAttendFrame,
  strip: Strip,
  s: Sides,
  index: i32,
  target: usize,
): void {
  const r = stripRows(strip);
  stripTile(frame, strip, index);
  packValues(frame, r, headIndex(frame, r), s);
  const p = productOf(strip.scratch);
  p.a = s.gradientRows;
  p.b = s.values;
  p.c = target;
  p.rows = r.rows;
  p.columns = r.columns;
  p.depth = frame.valueSize;
  p.reach = KEYS;
  scoreTile(p);
  for (let i = 0; i < r.rows; i++) {
    const row = target + <usize>i * TILE_ROW;
    if (frame.weightsGradient) {
      const given =
        matrixRow(frame, frame.weightsGradient, r) + ((<usize>(i * frame.keys + r.column)) << 2);
      for (let j: usize = 0; j < (<usize>r.columns) << 2; j += 4) {
        store<f32>(row + j, load<f32>(row + j) + load<f32>(given + j));
      }
    }
    memory.fill(row + ((<usize>r.columns) << 2), 0, (<usize>(KEYS - r.columns)) << 2);
  }
}

/** dS in place of dP. */
function normaliserGradients(frame: VariantAttendFrame, strip: Strip, gradients: usize): void {
  if (frame.scored) return;
  const r = stripRows(strip);
  const weights = changetype<EntmaxRow>(blockOf(frame, strip.scratch));
  const row = changetype<EntmaxRow>(blockOf(frame, strip.scratch) + 64);
  const alpha = frame.sparse ? load<f32>(frame.alphas + ((<usize>r.h) << 2)) : 0;
  let sum: f64 = 0;
  for (let i = 0; i < r.rows; i++) {
    describeRow(frame, strip, i, weights);
    row.at = gradients + <usize>i * TILE_ROW;
    row.segments = weights.segments;
    row.step = weights.step;
    if (frame.sparse) sum += sparseBackward(weights, row, frame.sparse, alpha);
    else softmaxBackward(weights, row);
  }
  addToHead(frame, r, frame.alphasGradient, sum);
}

/** dx = p · (dp − Σ p · dp), 0 where p is. */
function softmaxBackward(weights: EntmaxRow, gradients: EntmaxRow): void {
  let along: f64 = 0;
  for (let k = 0; k < weights.segments; k++) {
    const p = weights.at + <usize>k * weights.step;
    const g = gradients.at + <usize>k * gradients.step;
    for (let at: usize = 0; at < TILE_ROW; at += 4) {
      const weight = load<f32>(p + at);
      if (weight != 0) along += <f64>weight * <f64>load<f32>(g + at);
    }
  }
  const mean = f32x4.splat(<f32>along);
  const zero = f32x4.splat(0);
  for (let k = 0; k < weights.segments; k++) {
    const p = weights.at + <usize>k * weights.step;
    const g = gradients.at + <usize>k * gradients.step;
    for (let at: usize = 0; at < TILE_ROW; at += 16) {
      const weight = v128.load(p + at);
      const d = f32x4.mul(weight, f32x4.sub(v128.load(g + at), mean));
      v128.store(g + at, v128.and(d, f32x4.ne(weight, zero)));
    }
  }
}

/** dV += Pᵀ · dO of a tile of keys, whose weights are transposed already. */
function addValueTile(frame: VariantAttendFrame, strip: Strip, s: Sides, head: usize): void {
  const r = stripRows(strip);
  const index = headIndex(frame, r);
  const p = productOf(strip.scratch);
  const columns = ceil8(frame.valueSize);
  p.rows = r.rows;
  p.reach = KEYS;
  p.depth = r.columns;
  p.a = s.transposed;
  p.b = s.gradientColumns;
  p.c = valueGradientsOf(frame, index, head) + ((<usize>(r.column * columns)) << 2);
  p.columns = frame.valueSize;
  p.panel = <usize>tileRows(frame);
  p.cRow = (<usize>columns) << 2;
  transposedTile(p);
}

/** dQ and dK of a tile of keys, or those of additive scores. */
function addScoreTile(
  frame: VariantAttendFrame,
  strip: Strip,
  s: Sides,
  gradient: usize,
  head: usize,
): void {
  const r = stripRows(strip);
  const index = headIndex(frame, r);
  const p = productOf(strip.scratch);
  const capacity = <usize>tileRows(frame);
  const keys = keyGradientsOf(frame, index, head);
  if (frame.additive) {
    additiveBackTile(frame, r, s, gradient, keys);
    return;
  }
  const depth = ceil8(frame.headSize);
  transposeTile(gradient, r, s.transposed, capacity);
  p.rows = r.rows;
  p.reach = KEYS;
  p.depth = r.columns;
  p.panel = capacity;
  p.a = s.transposed;
  p.b = s.queryColumns;
  p.c = keys + ((<usize>(r.column * depth)) << 2);
  p.columns = frame.headSize;
  p.cRow = (<usize>depth) << 2;
  transposedTile(p);
  packKeys(frame, r, index, s);
  p.a = gradient;
  p.b = s.keys;
  p.c = s.queryGradients;
  p.panel = <usize>KEYS;
  valueTile(p);
}

/** The rows' gradients; 0 past the last query. */
function finishQueries(frame: VariantAttendFrame, r: Rows, s: Sides): void {
  const depth = <usize>ceil8(frame.headSize);
  if (frame.additive) additiveBackRows(frame, r, s);
  for (let i = 0; i < r.resultRows; i++) {
    const target = rowAt(frame.queryGradient, queryStrides(frame), r.b, r.h, r.first + i);
    const source = s.queryGradients + ((<usize>i * depth) << 2);
    for (let j: usize = 0; j < (<usize>frame.headSize) << 2; j += 4) {
      store<f32>(target + j, i < r.rows ? load<f32>(source + j) * frame.scale : 0);
    }
  }
}
