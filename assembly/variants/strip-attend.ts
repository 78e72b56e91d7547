// output = normalise(scores) · V, where attend has no road: scores are Q·Kᵀ or additive, with everything that attend
// does to them, and their normaliser is softmax or one of sparse.ts, of each head its own. By those a key of weight 0 does
// not take part, whatever its value holds.
//
// Items: tiles of keys and values that are packed; once all are, tiles of query rows.

import { outputStrides } from "../attend/frame";
import { tileIsFinite, tileKeys, tileValuePanels } from "../attend/panels";
import { addToMean, matrixRow, meanRow } from "../attend/scores/weights";
import { blockOf, productOf, spareOf } from "../attend/scratch";
import { valueTile, valueTileSkipping } from "../gemm/products";
import { WeightsKind } from "../kinds";
import { exponentiate, finishState, finiteBase, logSumExp, rowMaximum } from "../softmax/state";
import { rowAt } from "../strided";
import { KEYS, TILE_ROW } from "../tiles";
import { EntmaxRow } from "./entmax";
import { VariantAttendFrame } from "./frame";
import { sparseRow } from "./sparse";
import {
  beginStrip,
  describeRow,
  headIndex,
  layOutStrip,
  packItem,
  packItems,
  panelBytes,
  panelsOf,
  rowItems,
  scoreStrip,
  Strip,
  stripBytes,
  stripRows,
  stripTile,
} from "./strip";
import { markHidden, modifyWeights } from "./strip-modified";

export function stripScratchBytes(frame: VariantAttendFrame): f64 {
  return panelBytes(frame) + <f64>frame.threads * stripBytes(frame);
}

export function stripItems(frame: VariantAttendFrame): f64 {
  return <f64>packItems(frame) + <f64>rowItems(frame);
}

export function stripReady(frame: VariantAttendFrame, item: i32): i32 {
  const packed = packItems(frame);
  return item < packed ? 0 : packed;
}

export function stripRun(frame: VariantAttendFrame, item: i32, thread: i32, key: i32): i32 {
  const packed = packItems(frame);
  if (item < packed) {
    packItem(frame, item);
    return 0;
  }
  const mine = frame.scratch + <usize>(panelBytes(frame) + <f64>thread * stripBytes(frame));
  const strip = layOutStrip(frame, mine);
  if (!key && !beginStrip(frame, strip, item - packed)) return 0;
  const next = scoreStrip(frame, strip, key);
  if (next) return next;
  weighStrip(frame, strip);
  if (frame.weighed) modifyWeights(frame, strip);
  addValues(frame, strip);
  finishStrip(frame, strip);
  return 0;
}

/** Weights of all rows in place of their scores. */
export function weighStrip(frame: VariantAttendFrame, strip: Strip): void {
  const r = stripRows(strip);
  if (frame.weighed) markHidden(frame, strip);
  const alpha = frame.sparse ? load<f32>(frame.alphas + ((<usize>r.h) << 2)) : 0;
  const row = changetype<EntmaxRow>(blockOf(frame, strip.scratch));
  for (let i = 0; i < r.rows; i++) {
    describeRow(frame, strip, i, row);
    const state = (<usize>i) << 2;
    if (frame.sparse) {
      store<f32>(r.states.sums + state, sparseRow(row, frame.sparse, alpha) ? 1 : 0);
      continue;
    }
    store<f32>(r.states.sums + state, softmaxRow(row, r.states.maxima + state) == 0 ? 0 : 1);
  }
}

/** Weights in place of scores, and logSumExp at `target`; gives Σ e^(s − m). */
function softmaxRow(row: EntmaxRow, target: usize): f32 {
  let m = -(<f32>Infinity);
  for (let k = 0; k < row.segments; k++) {
    m = max(m, rowMaximum(row.at + <usize>k * row.step, KEYS));
  }
  let l: f32 = 0;
  for (let k = 0; k < row.segments; k++) {
    l += exponentiate(row.at + <usize>k * row.step, KEYS, finiteBase(m));
  }
  store<f32>(target, logSumExp(m, l));
  const divisor = f32x4.splat(l == 0 ? 1 : l);
  for (let k = 0; k < row.segments; k++) {
    let at = row.at + <usize>k * row.step;
    for (const end = at + TILE_ROW; at < end; at += 16) {
      v128.store(at, f32x4.div(v128.load(at), divisor));
    }
  }
  return l;
}

/** Σ p · v of the tiles in which some row has weight. */
function addValues(frame: VariantAttendFrame, strip: Strip): void {
  const r = stripRows(strip);
  const p = productOf(strip.scratch);
  for (let index = 0; index < strip.count; index++) {
    const tile = stripTile(frame, strip, index);
    if (!anyWeight(tile, r.rows)) continue;
    const panels = panelsOf(frame, headIndex(frame, r), r.column);
    p.a = tile;
    p.b = tileValuePanels(frame, panels);
    p.c = r.states.output;
    p.rows = r.rows;
    p.columns = r.states.columns;
    p.depth = r.columns;
    p.reach = KEYS;
    p.panel = <usize>tileKeys(frame);
    p.cRow = (<usize>r.states.columns) << 2;
    if (tileIsFinite(panels)) valueTile(p);
    else valueTileSkipping(p, hiddenWhereZero(tile, spareOf(frame, strip.scratch), r.rows));
  }
}

function anyWeight(tile: usize, rows: i32): bool {
  let found = i32x4.splat(0);
  const end = tile + <usize>rows * TILE_ROW;
  for (; tile < end; tile += 16) found = v128.or(found, v128.load(tile));
  return v128.any_true(found);
}

/** −∞ for a weight of 0. */
function hiddenWhereZero(tile: usize, target: usize, rows: i32): usize {
  const hidden = f32x4.splat(-(<f32>Infinity));
  const zero = f32x4.splat(0);
  const bytes = <usize>rows * TILE_ROW;
  for (let at: usize = 0; at < bytes; at += 16) {
    const weight = v128.load(tile + at);
    v128.store(target + at, v128.bitselect(hidden, weight, f32x4.eq(weight, zero)));
  }
  return target;
}

/** The rows' outputs and weights; rows past the last query give 0. */
function finishStrip(frame: VariantAttendFrame, strip: Strip): void {
  const r = stripRows(strip);
  for (let i = 0; i < r.resultRows; i++) {
    const target = rowAt(frame.output, outputStrides(frame), r.b, r.h, r.first + i);
    if (i < r.rows) finishState(r.states, i, target, frame.valueSize);
    else memory.fill(target, 0, (<usize>frame.valueSize) << 2);
  }
  if (frame.logSumExp) {
    const index = <usize>r.b * frame.logSumExpBatch + <usize>r.h * frame.logSumExpHead;
    for (let i = 0; i < r.resultRows; i++) {
      const found = i < r.rows ? load<f32>(r.states.maxima + ((<usize>i) << 2)) : -(<f32>Infinity);
      store<f32>(frame.logSumExp + ((index + <usize>(r.first + i)) << 2), found);
    }
  }
  if (!frame.weightsKind) return;
  const bytes = (<usize>frame.keys) << 2;
  const mean = frame.weightsKind == WeightsKind.mean;
  r.column = 0;
  const first = mean ? <usize>0 : matrixRow(frame, frame.weights, r);
  for (let i = 0; i < r.resultRows; i++) {
    const row = mean ? strip.list : first + <usize>i * bytes;
    memory.fill(row, 0, bytes);
    if (i < r.rows) {
      for (let index = 0; index < strip.count; index++) {
        const tile = stripTile(frame, strip, index) + <usize>i * TILE_ROW;
        memory.copy(row + ((<usize>r.column) << 2), tile, (<usize>r.columns) << 2);
      }
    }
    if (mean) addToMean(row, meanRow(frame, r.b, r.row + i), frame.keys, frame.heads, r.h == 0);
  }
}
