// One head's tile of query rows, from its first key tile to its results.
//
// beginRows packs and scales the queries; step.ts lets them attend to tiles of keys; finishRows divides by
// l and writes what was asked for. Between two tiles the states are all there is: any number of such Rows may
// be begun at once.
//
// A state starts anew with each span of SPAN keys and is merged into the total of the spans before: so
// threads may share one row's keys, a span each, for the same bits.

import { WeightsKind } from "../kinds";
import { packRows, scalePanels } from "../gemm/pack";
import {
  finishState,
  initStates,
  logSumExp,
  mergeState,
  layOutStates,
  States,
} from "../softmax/state";
import { rowAt } from "../strided";
import { ceil8, REGISTER_ROWS, ROWS, SPAN, tilesOf } from "../tiles";
import { AttendFrame, outputStrides, queryStrides, sequenceOf } from "./frame";
import { dropWeights } from "./scores/dropout";
import { addToMean, clearScores, finishWeights, matrixRow, meanRow } from "./scores/weights";
import { Tile } from "./tile";
import { tileIsBlocked } from "./visible/blocks";
import { tileIsMasked } from "./visible/mask";
import { everyKey, resultRows, visibleFrom } from "./visible/window";

/** The tile they attend to, and where their numbers lie, behind it. */
@unmanaged
export class Rows extends Tile {
  /** Rows of the result; `rows` of them have a query. */
  resultRows: i32 = 0;
  /** [⌈rows/4⌉][D][4], scaled. */
  queries: usize = 0;
  /** Rows of scores stored for the weights. */
  weights: usize = 0;
  /** Of one query, where its tile's keys and values lie. */
  keys: usize = 0;
  values: usize = 0;
  /** Keys so far are of this span. */
  span: i32 = 0;
  /** Of this span, and of the spans before; the same where there is but one. */
  states: States = changetype<States>(0);
  total: States = changetype<States>(0);
}

const HEADER: usize = 128;
const STATES_AT: usize = (offsetof<Rows>() + 15) & ~15;

/** Rows that fit in a tile: whole register blocks, no more than the call needs. */
// @ts-ignore: decorator
@inline
export function tileRows(frame: AttendFrame): i32 {
  return min(ROWS, (frame.queries + REGISTER_ROWS - 1) & ~(REGISTER_ROWS - 1));
}

/** Spans of a head's keys. */
// @ts-ignore: decorator
@inline
export function spans(frame: AttendFrame): i32 {
  return tilesOf(frame.keys, SPAN);
}

/** Whether a span's states are not the result yet. */
// @ts-ignore: decorator
@inline
function merges(frame: AttendFrame): bool {
  return spans(frame) > 1 || frame.states != 0;
}

/** Bytes of a Rows with its numbers, a multiple of 64. */
export function rowsBytes(frame: AttendFrame): u64 {
  const state = <usize>ceil8(frame.valueSize) + 2;
  const row =
    <usize>frame.headSize +
    (merges(frame) ? 2 * state : state) +
    (frame.weightsKind == WeightsKind.mean ? <usize>frame.keys : 0);
  return (HEADER + <u64>tileRows(frame) * row * 4 + 63) & ~63;
}

/** Batch, head and first row of a tile; the result has rows past the last query too. */
export function locateRows(frame: AttendFrame, r: Rows, b: i32, h: i32, row: i32): void {
  const sequence = sequenceOf(frame, b);
  r.b = b;
  r.h = h;
  r.row = row;
  r.resultRows = min(ROWS, resultRows(frame, b) - row);
  r.rows = max(min(r.resultRows, sequence.queries - row), 0);
  r.position = sequence.position + row;
  r.first = sequence.queryStart + row;
}

/** The located rows, before they attend to keys [from, to). */
export function beginRows(frame: AttendFrame, r: Rows, from: i32, to: i32): void {
  const capacity = <usize>tileRows(frame);
  const depth = frame.headSize;
  const columns = ceil8(frame.valueSize);
  r.span = from / SPAN;
  r.queries = changetype<usize>(r) + HEADER;
  r.states = changetype<States>(changetype<usize>(r) + STATES_AT);
  let end = layOutStates(r.states, r.queries + ((capacity * depth) << 2), capacity, columns);
  r.total = r.states;
  if (merges(frame)) {
    r.total = changetype<States>(changetype<usize>(r.states) + offsetof<States>());
    end = layOutStates(r.total, end, capacity, columns);
  }

  for (let i = 0; i < r.rows; i += REGISTER_ROWS) {
    const source = rowAt(frame.query, queryStrides(frame), r.b, r.h, r.first + i);
    const panel = r.queries + ((<usize>(i * depth)) << 2);
    packRows(source, frame.queryRow, r.rows - i, depth, panel, 16);
  }
  scalePanels(r.queries, capacity * depth, frame.scale);
  // A logit that takes part without a value, among the keys of the first span.
  const sink =
    frame.sinks && !from ? load<f32>(frame.sinks + ((<usize>r.h) << 2)) : -(<f32>Infinity);
  initStates(r.states, r.rows, sink);
  if (r.total != r.states) initTotal(r);

  const weightsKind = frame.weightsKind;
  r.weights = weightsKind == WeightsKind.mean ? end : matrixRow(frame, frame.weights, r);
  if (weightsKind) clearScores(r.weights, r.resultRows, <usize>frame.keys, from, to);
  if (frame.scoresKind) {
    const scores = matrixRow(frame, frame.scores, r);
    clearScores(scores, r.resultRows, <usize>frame.keys, from, to);
  }
}

export function initTotal(r: Rows): void {
  initStates(r.total, r.rows, -(<f32>Infinity));
}

/** Before keys from `from` on are attended to: the states of another span are merged into the total. */
// @ts-ignore: decorator
@inline
export function enterSpan(frame: AttendFrame, r: Rows, from: i32): void {
  if (from / SPAN == r.span) return;
  mergeSpan(frame, r, r);
  initStates(r.states, r.rows, -(<f32>Infinity));
  r.span = from / SPAN;
}

/** Merges the span of `part` into the total of `r`, or stores its states where they are asked for. */
export function mergeSpan(frame: AttendFrame, r: Rows, part: Rows): void {
  if (r.total == part.states) return;
  if (frame.states) {
    storeSpan(frame, part);
    return;
  }
  for (let i = 0; i < r.rows; i++) mergeState(r.total, part.states, i);
}

/** The states of a span's rows, which lie end to end in their results too. */
function storeSpan(frame: AttendFrame, r: Rows): void {
  const rows = <usize>frame.stateRows;
  const bytes = (<usize>r.states.columns) << 2;
  const count = <usize>r.rows;
  const index =
    <usize>r.b * frame.logSumExpBatch + <usize>r.h * frame.logSumExpHead + <usize>r.first;
  const states = frame.states + <usize>r.span * rows * (bytes + 8);
  const maxima = states + rows * bytes + (index << 2);
  memory.copy(states + index * bytes, r.states.output, count * bytes);
  memory.copy(maxima, r.states.maxima, count << 2);
  memory.copy(maxima + (rows << 2), r.states.sums, count << 2);
}

/** Whether no row of the tile sees any of its keys. */
export function skips(frame: AttendFrame, tile: Tile): bool {
  if (everyKey(frame)) return false;
  if (frame.sinkKeys && betweenSinks(frame, tile)) return true;
  if (frame.maskCount && tileIsMasked(frame, tile)) return true;
  return frame.blockSize != 0 && tileIsBlocked(frame, tile);
}

/** Whether all keys come after the sinks and before the window. */
function betweenSinks(frame: AttendFrame, tile: Tile): bool {
  const keys = sequenceOf(frame, tile.b).keys;
  const end = tile.column + tile.columns;
  return tile.column >= frame.sinkKeys && end <= visibleFrom(frame, tile.position, keys);
}

/** Writes the rows' results, from their totals. `block` holds a row of scores. */
export function finishRows(frame: AttendFrame, r: Rows, block: usize): void {
  if (frame.states) return;
  const keys = frame.keys;
  r.column = 0;
  for (let i = 0; i < r.resultRows; i++) {
    const target = rowAt(frame.output, outputStrides(frame), r.b, r.h, r.first + i);
    finishState(r.total, i, target, frame.valueSize);
    const state = (<usize>i) << 2;
    const m = load<f32>(r.total.maxima + state);
    const l = load<f32>(r.total.sums + state);
    if (frame.logSumExp) {
      const index =
        <usize>r.b * frame.logSumExpBatch + <usize>r.h * frame.logSumExpHead + <usize>(r.first + i);
      store<f32>(frame.logSumExp + (index << 2), logSumExp(m, l));
    }
    if (!frame.weightsKind) continue;
    const row = r.weights + <usize>i * ((<usize>keys) << 2);
    finishWeights(row, keys, m, l, block);
    if (frame.dropped) dropWeights(frame, r, i, keys, row, block);
    if (frame.weightsKind == WeightsKind.mean) {
      addToMean(row, meanRow(frame, r.b, r.row + i), keys, frame.heads, r.h == 0);
    }
  }
}
