// output = softmax(scale · Q·Kᵀ + mask) · V, a tile of query rows at a time.
//
// For each tile the keys stream by, KEYS at a time: score, mask, move the softmax state,
// rescale and add to the output rows; the division by l comes last (Dao et al. 2022,
// "FlashAttention"). Memory is one head's packed panels and one tile's scratch, never
// L × S. Tiles depend on nothing but the frame and the panels: any order, same bits.
//
// Q [B, H, L, D], K [B, Hkv, S, D], V [B, Hkv, S, Dv] by strides; the caller has checked
// every size and address.

import { MaskKind, Slot, WeightsKind } from "../frame";
import { packRows } from "../gemm/pack";
import { address, element, number, size } from "../slots";
import { baseOf, exponentiate, logSumExp, rescaling, rowMaximum } from "../softmax/state";
import { KEYS, REGISTER_ROWS, ROWS } from "../tiles";
import { fillMasked, maskRow, scaleRow, tileIsMasked, visibleKeys } from "./mask";
import {
  ceil8,
  finiteFlags,
  keyPanelBytes,
  packKeyValue,
  panelBytes,
  valuePanelBytes,
  valuePanels,
  valueTileBytes,
} from "./panels";
import { scoreTile, valueTile, valueTileSkipping } from "./products";
import { addToMean, finishWeights, keepScores } from "./weights";

const LOG2E: f32 = 1.4426950408889634;

/** Rows a tile has room for: whole register blocks, no more than the call needs. */
// @ts-ignore: decorator
@inline
function tileRows(frame: usize): i32 {
  return min(ROWS, (size(frame, Slot.queries) + REGISTER_ROWS - 1) & ~(REGISTER_ROWS - 1));
}

/**
 * Bytes of Slot.scratch: the panels of one head, then one tile's rows.
 * A float64, since it may be more than linear memory can hold.
 */
export function attendScratchBytes(frame: usize): f64 {
  const row =
    address(frame, Slot.headSize) + // queries
    2 * KEYS + // scores, and as they were before the softmax
    <usize>ceil8(size(frame, Slot.valueSize)) + // output
    2 + // m and l
    (size(frame, Slot.weightsKind) == WeightsKind.mean ? address(frame, Slot.keys) : 0);
  return <f64>(panelBytes(frame) + (<u64>tileRows(frame) * row + KEYS) * 4);
}

/** The whole call, on one thread. */
export function attend(frame: usize): void {
  const panels = address(frame, Slot.scratch);
  const scratch = panels + <usize>panelBytes(frame);
  const heads = size(frame, Slot.heads);
  const keyValueHeads = size(frame, Slot.keyValueHeads);
  const group = keyValueHeads ? heads / keyValueHeads : 0;
  const queries = size(frame, Slot.queries);
  for (let b = 0; b < size(frame, Slot.batch); b++) {
    const batch = address(frame, Slot.batches) + <usize>b * 12;
    const last = load<i32>(batch, 8) + load<i32>(batch) - 1;
    const keys = load<i32>(batch) ? visibleKeys(frame, last, load<i32>(batch, 4)) : 0;
    for (let head = 0; head < keyValueHeads; head++) {
      packKeyValue(frame, b, head, keys, panels);
      for (let h = head * group; h < (head + 1) * group; h++) {
        for (let row = 0; row < queries; row += ROWS) attendTile(frame, b, h, row, panels, scratch);
      }
    }
  }
}

/** Rows [start, start + ROWS) of head h in batch b, from that head's panels. */
export function attendTile(
  frame: usize,
  b: i32,
  h: i32,
  start: i32,
  panels: usize,
  scratch: usize,
): void {
  const batch = address(frame, Slot.batches) + <usize>b * 12;
  const held = min(ROWS, size(frame, Slot.queries) - start); // rows of the result
  const rows = max(min(held, load<i32>(batch) - start), 0); // of them, rows with a query
  const position = load<i32>(batch, 8) + start;
  const keys = rows ? visibleKeys(frame, position + rows - 1, load<i32>(batch, 4)) : 0;

  const depth = size(frame, Slot.headSize);
  const columns = ceil8(size(frame, Slot.valueSize));
  const room = <usize>tileRows(frame);
  const outputRow = (<usize>columns) << 2;
  const queries = scratch;
  const scores = queries + ((room * depth) << 2);
  const unmasked = scores + ((room * KEYS) << 2);
  const output = unmasked + ((room * KEYS) << 2);
  const maxima = output + room * outputRow;
  const sums = maxima + (room << 2);
  const block = sums + (room << 2);
  const meanRows = block + ((<usize>KEYS) << 2);

  const stride = address(frame, Slot.queryRow);
  for (let i = 0; i < rows; i += REGISTER_ROWS) {
    const source = element(frame, Slot.query, Slot.queryBatch, b, h, start + i);
    packRows(source, stride, rows - i, depth, queries + ((<usize>(i * depth)) << 2), 16);
  }
  memory.fill(output, 0, room * outputRow);
  for (let i: usize = 0; i < room; i++) {
    store<f32>(maxima + (i << 2), -(<f32>Infinity));
    store<f32>(sums + (i << 2), 0);
  }

  const scale = number(frame, Slot.scale);
  const maskKind = size(frame, Slot.maskKind);
  // A bias is added after the scale, and a maximum taken before it needs scale > 0:
  // then the tile is scaled first; otherwise the scale is folded into 2^x.
  const scaled = maskKind == MaskKind.additive || !(scale > 0);
  const unit: f32 = scaled ? 1 : scale;
  const c: f32 = unit * LOG2E;

  const weightsKind = size(frame, Slot.weightsKind);
  const stored = address(frame, Slot.keys);
  const weights =
    weightsKind == WeightsKind.perHead
      ? weightsRow(frame, b * size(frame, Slot.heads) + h, start)
      : meanRows;

  for (let from = 0; from < keys; from += KEYS) {
    const count = min(KEYS, keys - from);
    if (maskKind && tileIsMasked(frame, b, h, start, rows, from, count)) {
      if (weightsKind) keepScores(0, weights, stored, from, rows, count);
      continue;
    }
    const keyPanel = panels + <usize>(from >> 3) * keyPanelBytes(frame);
    scoreTile(queries, keyPanel, depth, rows, count, scores);

    const filled = ceil8(count);
    for (let i = 0; i < rows; i++) {
      const row = scores + ((<usize>(i * KEYS)) << 2);
      if (scaled) scaleRow(frame, row, filled);
      if (maskKind) maskRow(frame, row, b, h, start + i, from, count);
      fillMasked(row, max(visibleKeys(frame, position + i, keys) - from, 0), filled);
    }
    if (weightsKind) keepScores(scores, weights, stored, from, rows, count);

    const tile = <usize>(from / KEYS);
    const finite = load<i32>(finiteFlags(frame, panels) + (tile << 2));
    if (!finite) memory.copy(unmasked, scores, (room * KEYS) << 2);
    for (let i = 0; i < rows; i++) {
      const at = (<usize>i) << 2;
      moveState(
        scores + at * KEYS,
        filled,
        c,
        maxima + at,
        sums + at,
        output + <usize>i * outputRow,
        columns,
      );
    }

    const values = valuePanels(frame, panels) + tile * valueTileBytes(frame);
    const panel = valuePanelBytes(frame);
    if (finite) {
      valueTile(scores, values, panel, count, rows, columns, output, outputRow);
    } else {
      valueTileSkipping(unmasked, scores, values, panel, count, rows, columns, output, outputRow);
    }
  }

  for (let i = 0; i < held; i++) {
    const at = (<usize>i) << 2;
    const m = load<f32>(maxima + at);
    const l = load<f32>(sums + at);
    finishRow(frame, b, h, start + i, output + <usize>i * outputRow, m, l, unit);
    if (weightsKind) {
      const row = weights + <usize>i * (stored << 2);
      finishWeights(row, i < rows ? keys : 0, <i32>stored, m, l, c, block);
      if (weightsKind == WeightsKind.mean) {
        addToMean(
          row,
          weightsRow(frame, b, start + i),
          <i32>stored,
          size(frame, Slot.heads),
          h == 0,
        );
      }
    }
  }
}

/** Row `row` of matrix `index` in the weights. */
function weightsRow(frame: usize, index: i32, row: i32): usize {
  const rows = <usize>index * address(frame, Slot.queries) + <usize>row;
  return address(frame, Slot.weights) + ((rows * address(frame, Slot.keys)) << 2);
}

/** Takes one row's scores into its state (m, l), and leaves their weights in their place. */
function moveState(
  scores: usize,
  count: i32,
  c: f32,
  maximum: usize,
  sum: usize,
  output: usize,
  columns: i32,
): void {
  const before = load<f32>(maximum);
  const m = max(before, rowMaximum(scores, count));
  const base = baseOf(m);
  const added = exponentiate(scores, count, base, c);
  if (m == before) {
    store<f32>(sum, load<f32>(sum) + added);
    return;
  }
  const alpha = rescaling(before, base, c);
  store<f32>(maximum, m);
  store<f32>(sum, load<f32>(sum) * alpha + added);
  const factor = f32x4.splat(alpha);
  const end = output + ((<usize>columns) << 2);
  for (let at = output; at < end; at += 16) v128.store(at, f32x4.mul(v128.load(at), factor));
}

/** output / l and logSumExp of one row; 0 and −∞ where no key was seen. */
function finishRow(
  frame: usize,
  b: i32,
  h: i32,
  row: i32,
  output: usize,
  m: f32,
  l: f32,
  unit: f32,
): void {
  const target = element(frame, Slot.output, Slot.outputBatch, b, h, row);
  const columns = size(frame, Slot.valueSize);
  const inverse: f32 = l == 0 ? 0 : <f32>1 / l;
  for (let j = 0; j < columns; j++) {
    const at = (<usize>j) << 2;
    store<f32>(target + at, load<f32>(output + at) * inverse);
  }
  const lse = address(frame, Slot.logSumExp);
  if (lse) {
    const index = (b * size(frame, Slot.heads) + h) * size(frame, Slot.queries) + row;
    store<f32>(lse + ((<usize>index) << 2), logSumExp(m, l, unit));
  }
}
