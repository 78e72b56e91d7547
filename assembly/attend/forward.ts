// output = softmax(scores(Q·Kᵀ)) · V, a tile of query rows at a time.
//
// For each tile the keys stream by, KEYS at a time: score, adjust, move the softmax state,
// rescale and add to the output rows; the division by l comes last (Dao et al. 2022,
// "FlashAttention"). Memory is one head's packed panels and one tile's scratch, never
// L × S. Tiles depend on nothing but the frame and the panels: any order, same bits.
//
// Q [B, H, L, D], K [B, Hkv, S, D], V [B, Hkv, S, Dv] by strides; the caller has checked
// every size and address.

import { MaskKind, ScoresKind, Sequence, Slot, WeightsKind } from "../frame";
import { packRows, scalePanels } from "../gemm/pack";
import { address, element, number, size } from "../slots";
import { baseOf, exponentiate, logSumExp, rescaling, rowMaximum } from "../softmax/state";
import { KEYS, REGISTER_ROWS, ROWS } from "../tiles";
import { tileIsBlocked } from "./blocks";
import { tileIsMasked } from "./mask";
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
import { finishScores } from "./scores";
import { addToMean, clearScores, finishWeights, keepScores, matrixRow } from "./weights";
import { sequence, visibleFrom, visibleTo } from "./window";

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
    2 * KEYS + // scores, and a copy of them
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
  for (let b = 0; b < size(frame, Slot.batch); b++) {
    const rows = heldRows(frame, b);
    const from = firstKey(frame, b, 0);
    const to = lastKey(frame, b, sequence(frame, b, Sequence.queries));
    for (let head = 0; head < keyValueHeads; head++) {
      packKeyValue(frame, b, head, from, to, panels);
      for (let h = head * group; h < (head + 1) * group; h++) {
        for (let row = 0; row < rows; row += ROWS) attendTile(frame, b, h, row, panels, scratch);
      }
    }
  }
}

/** Rows that the result has for batch b. */
// @ts-ignore: decorator
@inline
function heldRows(frame: usize, b: i32): i32 {
  return size(frame, Slot.endToEnd)
    ? sequence(frame, b, Sequence.queries)
    : size(frame, Slot.queries);
}

/** Raw and capped scores are wanted of every key, seen or not. */
// @ts-ignore: decorator
@inline
function everyKey(frame: usize): bool {
  const kind = size(frame, Slot.scoresKind);
  return kind == ScoresKind.raw || kind == ScoresKind.capped;
}

/** First key of the first tile that a query from `row` on sees. */
function firstKey(frame: usize, b: i32, row: i32): i32 {
  if (everyKey(frame)) return 0;
  const position = sequence(frame, b, Sequence.position) + row;
  return visibleFrom(frame, position, sequence(frame, b, Sequence.keys)) & ~(KEYS - 1);
}

/** The key after the last that a query before `row` sees. */
function lastKey(frame: usize, b: i32, row: i32): i32 {
  const keys = sequence(frame, b, Sequence.keys);
  if (row <= 0) return 0;
  if (everyKey(frame)) return keys;
  return visibleTo(frame, sequence(frame, b, Sequence.position) + row - 1, keys);
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
  const held = min(ROWS, heldRows(frame, b) - start); // rows of the result
  const rows = max(min(held, sequence(frame, b, Sequence.queries) - start), 0); // with a query
  const position = sequence(frame, b, Sequence.position) + start;
  const keys = sequence(frame, b, Sequence.keys);

  const depth = size(frame, Slot.headSize);
  const columns = ceil8(size(frame, Slot.valueSize));
  const room = <usize>tileRows(frame);
  const outputRow = (<usize>columns) << 2;
  const queries = scratch;
  const scores = queries + ((room * depth) << 2);
  const spare = scores + ((room * KEYS) << 2);
  const output = spare + ((room * KEYS) << 2);
  const maxima = output + room * outputRow;
  const sums = maxima + (room << 2);
  const block = sums + (room << 2);
  const meanRows = block + ((<usize>KEYS) << 2);

  const first = sequence(frame, b, Sequence.queryStart) + start;
  const stride = address(frame, Slot.queryRow);
  for (let i = 0; i < rows; i += REGISTER_ROWS) {
    const source = element(frame, Slot.query, Slot.queryBatch, b, h, first + i);
    packRows(source, stride, rows - i, depth, queries + ((<usize>(i * depth)) << 2), 16);
  }
  scalePanels(queries, room * depth, number(frame, Slot.scale));
  memory.fill(output, 0, room * outputRow);
  startStates(frame, h, rows, <i32>room, maxima, sums);

  const masked = size(frame, Slot.maskKind) != MaskKind.none;
  const blocked = size(frame, Slot.blockSize) != 0;
  const skipping = !everyKey(frame);

  const weightsKind = size(frame, Slot.weightsKind);
  const stored = address(frame, Slot.keys);
  const matrix = b * size(frame, Slot.heads) + h;
  const weights =
    weightsKind == WeightsKind.perHead ? matrixRow(frame, Slot.weights, matrix, start) : meanRows;
  if (weightsKind) clearScores(weights, <usize>held * stored);
  if (size(frame, Slot.scoresKind)) {
    clearScores(matrixRow(frame, Slot.scores, matrix, start), <usize>held * stored);
  }

  const to = rows ? lastKey(frame, b, start + rows) : 0;
  for (let from = firstKey(frame, b, start); from < to; from += KEYS) {
    const count = min(KEYS, to - from);
    if (skipping) {
      if (masked && tileIsMasked(frame, b, h, start, rows, from, count)) continue;
      if (blocked && tileIsBlocked(frame, b, h, start, rows, from, count)) continue;
    }
    const keyPanel = panels + <usize>(from >> 3) * keyPanelBytes(frame);
    scoreTile(queries, keyPanel, depth, rows, count, scores);
    finishScores(frame, scores, spare, b, h, start, rows, from, count, position, keys);
    if (weightsKind) keepScores(scores, weights, stored, from, rows, count);

    const filled = ceil8(count);
    const tile = <usize>(from / KEYS);
    const finite = load<i32>(finiteFlags(frame, panels) + (tile << 2));
    if (!finite) memory.copy(spare, scores, (room * KEYS) << 2);
    for (let i = 0; i < rows; i++) {
      const at = (<usize>i) << 2;
      moveState(
        scores + at * KEYS,
        filled,
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
      valueTileSkipping(spare, scores, values, panel, count, rows, columns, output, outputRow);
    }
  }

  for (let i = 0; i < held; i++) {
    const at = (<usize>i) << 2;
    const m = load<f32>(maxima + at);
    const l = load<f32>(sums + at);
    finishRow(frame, b, h, first + i, output + <usize>i * outputRow, m, l);
    if (weightsKind) {
      const row = weights + <usize>i * (stored << 2);
      finishWeights(row, <i32>stored, m, l, block);
      if (weightsKind == WeightsKind.mean) {
        const mean = matrixRow(frame, Slot.weights, b, start + i);
        addToMean(row, mean, <i32>stored, size(frame, Slot.heads), h == 0);
      }
    }
  }
}

/** No key seen yet: (−∞, 0), or with a sink, a logit that takes part without a value, (sink, 1). */
function startStates(frame: usize, h: i32, rows: i32, room: i32, maxima: usize, sums: usize): void {
  const sinks = address(frame, Slot.sinks);
  const sink = sinks ? load<f32>(sinks + ((<usize>h) << 2)) : -(<f32>Infinity);
  for (let i = 0; i < room; i++) {
    const at = (<usize>i) << 2;
    const seen = sink != -(<f32>Infinity) && i < rows;
    store<f32>(maxima + at, seen ? sink : -(<f32>Infinity));
    store<f32>(sums + at, seen ? 1 : 0);
  }
}

/** Takes one row's scores into its state (m, l), and leaves their weights in their place. */
function moveState(
  scores: usize,
  count: i32,
  maximum: usize,
  sum: usize,
  output: usize,
  columns: i32,
): void {
  const before = load<f32>(maximum);
  const m = max(before, rowMaximum(scores, count));
  const base = baseOf(m);
  const added = exponentiate(scores, count, base);
  if (m == before) {
    store<f32>(sum, load<f32>(sum) + added);
    return;
  }
  const alpha = rescaling(before, base);
  store<f32>(maximum, m);
  store<f32>(sum, load<f32>(sum) * alpha + added);
  const factor = f32x4.splat(alpha);
  const end = output + ((<usize>columns) << 2);
  for (let at = output; at < end; at += 16) v128.store(at, f32x4.mul(v128.load(at), factor));
}

/** output / l and logSumExp of one row; 0 and −∞ where no key was seen. */
function finishRow(frame: usize, b: i32, h: i32, row: i32, output: usize, m: f32, l: f32): void {
  const target = element(frame, Slot.output, Slot.outputBatch, b, h, row);
  const columns = size(frame, Slot.valueSize);
  // Nothing was added to the output of a row that saw nothing: 0 / 1.
  const sum: f32 = l == 0 ? 1 : l;
  const divisor = f32x4.splat(sum);
  let j = 0;
  for (; j + 4 <= columns; j += 4) {
    const at = (<usize>j) << 2;
    v128.store(target + at, f32x4.div(v128.load(output + at), divisor));
  }
  for (; j < columns; j++) {
    const at = (<usize>j) << 2;
    store<f32>(target + at, load<f32>(output + at) / sum);
  }
  const lse = address(frame, Slot.logSumExp);
  if (lse) {
    const index =
      <usize>b * address(frame, Slot.logSumExpBatch) +
      <usize>h * address(frame, Slot.logSumExpHead) +
      <usize>row;
    store<f32>(lse + (index << 2), logSumExp(m, l));
  }
}
