// One head's tile of query rows, from its first key tile to its results.
//
// begin packs and scales the queries, take scores a tile of keys, moves the softmax state and adds
// to the output rows, finish divides by l and writes what was asked for. Between two takes the
// state is all there is: any number of tiles may be on their way at once.

import { MaskKind, ScoresKind, Sequence, Slot, WeightsKind } from "../frame";
import { packRows, scalePanels } from "../gemm/pack";
import { address, element, number, size } from "../slots";
import { baseOf, exponentiate, logSumExp, rescaling, rowMaximum } from "../softmax/state";
import { KEYS, REGISTER_ROWS, ROWS } from "../tiles";
import { tileIsBlocked } from "./blocks";
import { dropWeights } from "./dropout";
import { tileIsMasked } from "./mask";
import { ceil8, tileIsFinite, tileKeyPanels, tileValuePanels, valuePanelBytes } from "./panels";
import { scoreTile, valueTile, valueTileSkipping } from "./products";
import { finishScores } from "./scores";
import { scoreRow, valueRow } from "./single";
import { addToMean, clearScores, finishWeights, keepScores, matrixRow } from "./weights";
import { everyKey, heldRows, reachOf, sequence } from "./window";

/** Where one tile's rows stand. Addresses lie in the room behind it. */
@unmanaged
export class Rows {
  b: i32 = 0;
  h: i32 = 0;
  /** First query of the tile. */
  start: i32 = 0;
  /** Rows of the result, and how many of them have a query. */
  held: i32 = 0;
  count: i32 = 0;
  /** Position of the first query among the keys, and its row in the tensors. */
  position: i32 = 0;
  first: i32 = 0;
  /** [⌈rows/4⌉][D][4], scaled. */
  queries: usize = 0;
  /** [rows][⌈Dv⌉₈] */
  output: usize = 0;
  /** [rows], m and l of the softmax state. */
  maxima: usize = 0;
  sums: usize = 0;
  /** Rows of scores kept for the weights. */
  weights: usize = 0;
}

const HEAD: usize = 64;

/** Rows a tile has room for: whole register blocks, no more than the call needs. */
// @ts-ignore: decorator
@inline
export function tileRows(frame: usize): i32 {
  return min(ROWS, (size(frame, Slot.queries) + REGISTER_ROWS - 1) & ~(REGISTER_ROWS - 1));
}

/** Bytes of a Rows with its room, a multiple of 64. */
export function rowsBytes(frame: usize): u64 {
  const row =
    address(frame, Slot.headSize) +
    <usize>ceil8(size(frame, Slot.valueSize)) +
    2 +
    (size(frame, Slot.weightsKind) == WeightsKind.mean ? address(frame, Slot.keys) : 0);
  return (HEAD + <u64>tileRows(frame) * row * 4 + 63) & ~63;
}

/** Bytes that every tile uses in turn: scores, a copy of them, one row's weights. */
export function sharedBytes(frame: usize): usize {
  return (<usize>(2 * tileRows(frame) + 1) * KEYS) << 2;
}

/** Rows [start, start + ROWS) of head h in batch b. */
export function beginRows(frame: usize, r: Rows, b: i32, h: i32, start: i32): void {
  const room = <usize>tileRows(frame);
  const depth = size(frame, Slot.headSize);
  const held = min(ROWS, heldRows(frame, b) - start);
  r.b = b;
  r.h = h;
  r.start = start;
  r.held = held;
  r.count = max(min(held, sequence(frame, b, Sequence.queries) - start), 0);
  r.position = sequence(frame, b, Sequence.position) + start;
  r.first = sequence(frame, b, Sequence.queryStart) + start;
  r.queries = changetype<usize>(r) + HEAD;
  r.output = r.queries + ((room * depth) << 2);
  r.maxima = r.output + ((room * ceil8(size(frame, Slot.valueSize))) << 2);
  r.sums = r.maxima + (room << 2);
  r.weights = r.sums + (room << 2);

  const stride = address(frame, Slot.queryRow);
  for (let i = 0; i < r.count; i += REGISTER_ROWS) {
    const source = element(frame, Slot.query, Slot.queryBatch, b, h, r.first + i);
    packRows(source, stride, r.count - i, depth, r.queries + ((<usize>(i * depth)) << 2), 16);
  }
  scalePanels(r.queries, room * depth, number(frame, Slot.scale));
  memory.fill(r.output, 0, r.maxima - r.output);
  startStates(frame, r, room);

  const matrix = b * size(frame, Slot.heads) + h;
  const kept = <usize>held * address(frame, Slot.keys);
  const weightsKind = size(frame, Slot.weightsKind);
  if (weightsKind == WeightsKind.perHead) r.weights = matrixRow(frame, Slot.weights, matrix, start);
  if (weightsKind) clearScores(r.weights, kept);
  if (size(frame, Slot.scoresKind)) clearScores(matrixRow(frame, Slot.scores, matrix, start), kept);
}

/** No key seen yet: (−∞, 0), or with a sink, a logit that takes part without a value, (sink, 1). */
function startStates(frame: usize, r: Rows, room: usize): void {
  const sinks = address(frame, Slot.sinks);
  const sink = sinks ? load<f32>(sinks + ((<usize>r.h) << 2)) : -(<f32>Infinity);
  for (let i: usize = 0; i < room; i++) {
    const seen = sink != -(<f32>Infinity) && i < <usize>r.count;
    store<f32>(r.maxima + (i << 2), seen ? sink : -(<f32>Infinity));
    store<f32>(r.sums + (i << 2), seen ? 1 : 0);
  }
}

/** Whether no row of the tile sees any of these keys. */
export function skips(frame: usize, r: Rows, from: i32, count: i32): bool {
  if (everyKey(frame)) return false;
  if (size(frame, Slot.maskKind) != MaskKind.none) {
    if (tileIsMasked(frame, r.b, r.h, r.start, r.count, from, count)) return true;
  }
  if (!size(frame, Slot.blockSize)) return false;
  return tileIsBlocked(frame, r.b, r.h, r.start, r.count, from, count);
}

/**
 * Keys [from, from + count) of a tile, packed in `panels` as tile `index`, or for a single row
 * where they lie (panels 0).
 */
export function takeKeys(
  frame: usize,
  r: Rows,
  from: i32,
  count: i32,
  panels: usize,
  index: i32,
  shared: usize,
): void {
  const scores = shared;
  const spare = scores + ((<usize>tileRows(frame) * KEYS) << 2);
  const depth = size(frame, Slot.headSize);
  const rows = r.count;
  // The caller's function is shown every score of the tile.
  const reach = size(frame, Slot.modified) ? KEYS : reachOf(frame, r.position, from);
  if (panels) {
    const keys = tileKeyPanels(frame, panels, index);
    scoreTile(r.queries, keys, depth, rows, count, reach, scores);
  } else {
    scoreRow(frame, r.b, r.h, r.queries, from, count, scores);
  }
  finishScores(
    frame,
    scores,
    spare,
    r.b,
    r.h,
    r.start,
    rows,
    from,
    count,
    r.position,
    sequence(frame, r.b, Sequence.keys),
  );
  if (size(frame, Slot.weightsKind)) {
    keepScores(scores, r.weights, address(frame, Slot.keys), from, rows, count);
  }

  const columns = ceil8(size(frame, Slot.valueSize));
  const outputRow = (<usize>columns) << 2;
  const finite = panels != 0 && tileIsFinite(frame, panels, index);
  if (!finite) memory.copy(spare, scores, (<usize>rows * KEYS) << 2);
  for (let i: usize = 0; i < <usize>rows; i++) {
    const state = i << 2;
    const row = scores + state * KEYS;
    // As many for all rows of a register block: what one of them does not see is e^−∞.
    const seen = min(reach + ((<i32>i) | (REGISTER_ROWS - 1)), count);
    if (seen <= 0) continue;
    moveState(
      row,
      ceil8(seen),
      r.maxima + state,
      r.sums + state,
      r.output + i * outputRow,
      columns,
    );
    if (size(frame, Slot.dropped)) {
      const block = spare + ((<usize>tileRows(frame) * KEYS) << 2);
      dropWeights(frame, r.b, r.h, r.start + <i32>i, from, min(seen, count), row, block);
    }
  }
  if (!panels) {
    valueRow(frame, r.b, r.h, spare, scores, from, count, r.output);
    return;
  }
  const values = tileValuePanels(frame, panels, index);
  const panel = valuePanelBytes(frame);
  if (finite) {
    valueTile(scores, values, panel, count, rows, columns, reach, r.output, outputRow);
  } else {
    valueTileSkipping(spare, scores, values, panel, count, rows, columns, r.output, outputRow);
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
  store<f32>(maximum, m);
  if (before == -(<f32>Infinity)) {
    // Nothing was added under the old maximum.
    store<f32>(sum, added);
    return;
  }
  const alpha = rescaling(before, base);
  store<f32>(sum, load<f32>(sum) * alpha + added);
  const factor = f32x4.splat(alpha);
  const end = output + ((<usize>columns) << 2);
  for (let at = output; at < end; at += 16) v128.store(at, f32x4.mul(v128.load(at), factor));
}

/** Writes the rows' results. */
export function finishRows(frame: usize, r: Rows, shared: usize): void {
  const block = shared + ((<usize>(2 * tileRows(frame)) * KEYS) << 2);
  const outputRow = (<usize>ceil8(size(frame, Slot.valueSize))) << 2;
  const weightsKind = size(frame, Slot.weightsKind);
  const keys = size(frame, Slot.keys);
  for (let i = 0; i < r.held; i++) {
    const state = (<usize>i) << 2;
    const m = load<f32>(r.maxima + state);
    const l = load<f32>(r.sums + state);
    writeOutput(frame, r, i, r.output + <usize>i * outputRow, l);
    const lse = address(frame, Slot.logSumExp);
    if (lse) {
      const index =
        <usize>r.b * address(frame, Slot.logSumExpBatch) +
        <usize>r.h * address(frame, Slot.logSumExpHead) +
        <usize>(r.first + i);
      store<f32>(lse + (index << 2), logSumExp(m, l));
    }
    if (!weightsKind) continue;
    const row = r.weights + <usize>i * ((<usize>keys) << 2);
    finishWeights(row, keys, m, l, block);
    if (size(frame, Slot.dropped)) dropWeights(frame, r.b, r.h, r.start + i, 0, keys, row, block);
    if (weightsKind == WeightsKind.mean) {
      const mean = matrixRow(frame, Slot.weights, r.b, r.start + i);
      addToMean(row, mean, keys, size(frame, Slot.heads), r.h == 0);
    }
  }
}

/** output / l; 0 where no key was seen. */
function writeOutput(frame: usize, r: Rows, i: i32, output: usize, l: f32): void {
  const target = element(frame, Slot.output, Slot.outputBatch, r.b, r.h, r.first + i);
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
}
