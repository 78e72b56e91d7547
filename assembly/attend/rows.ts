// One head's tile of query rows, from its first key tile to its results.
//
// begin packs and scales the queries; take.ts lets them take keys; finish divides by l and writes
// what was asked for. Between two takes the state is all there is: any number of tiles may be on
// their way at once.
//
// The state (m, l, output) starts anew with each span of SPAN keys and is merged into the total of
// the spans before: so threads may share one row's keys, a span each, for the same bits.

import { ScoresKind, Sequence, Slot, WeightsKind } from "../frame";
import { packRows, scalePanels } from "../gemm/pack";
import { madd } from "../simd/lanes";
import { address, element, number, size } from "../slots";
import { baseOf, logSumExp, rescaling } from "../softmax/state";
import { KEYS, REGISTER_ROWS, ROWS, SPAN, tilesOf } from "../tiles";
import { tileIsBlocked } from "./blocks";
import { dropWeights } from "./dropout";
import { tileIsMasked } from "./mask";
import { ceil8 } from "./panels";
import { addToMean, clearScores, finishWeights, matrixRow } from "./weights";
import { everyKey, heldRows, sequence } from "./window";

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
  /** Keys so far are of this span. */
  span: i32 = 0;
  /** output, m and l of the spans before; those of this span where there is but one. */
  totalOutput: usize = 0;
  totalMaxima: usize = 0;
  totalSums: usize = 0;
}

const HEAD: usize = 128;

/** Rows a tile has room for: whole register blocks, no more than the call needs. */
// @ts-ignore: decorator
@inline
export function tileRows(frame: usize): i32 {
  return min(ROWS, (size(frame, Slot.queries) + REGISTER_ROWS - 1) & ~(REGISTER_ROWS - 1));
}

/** Spans of a head's keys. */
// @ts-ignore: decorator
@inline
export function spans(frame: usize): i32 {
  return tilesOf(size(frame, Slot.keys), SPAN);
}

/** Bytes of a Rows with its room, a multiple of 64. */
export function rowsBytes(frame: usize): u64 {
  const state = <usize>ceil8(size(frame, Slot.valueSize)) + 2;
  const row =
    address(frame, Slot.headSize) +
    (spans(frame) > 1 ? 2 * state : state) +
    (size(frame, Slot.weightsKind) == WeightsKind.mean ? address(frame, Slot.keys) : 0);
  return (HEAD + <u64>tileRows(frame) * row * 4 + 63) & ~63;
}

/** Bytes that every tile uses in turn: scores, a copy of them, one row's weights. */
export function sharedBytes(frame: usize): usize {
  return (<usize>(2 * tileRows(frame) + 1) * KEYS) << 2;
}

/** Rows [start, start + ROWS) of head h in batch b, which will take keys from `from` to `to`. */
export function beginRows(
  frame: usize,
  r: Rows,
  b: i32,
  h: i32,
  start: i32,
  from: i32,
  to: i32,
): void {
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
  r.span = from / SPAN;
  r.queries = changetype<usize>(r) + HEAD;
  r.output = r.queries + ((room * depth) << 2);
  r.maxima = r.output + ((room * ceil8(size(frame, Slot.valueSize))) << 2);
  r.sums = r.maxima + (room << 2);
  const several = spans(frame) > 1;
  r.totalOutput = several ? r.sums + (room << 2) : r.output;
  r.totalMaxima = several ? r.totalOutput + (r.maxima - r.output) : r.maxima;
  r.totalSums = several ? r.totalMaxima + (room << 2) : r.sums;
  r.weights = r.totalSums + (room << 2);

  const stride = address(frame, Slot.queryRow);
  for (let i = 0; i < r.count; i += REGISTER_ROWS) {
    const source = element(frame, Slot.query, Slot.queryBatch, b, h, r.first + i);
    packRows(source, stride, r.count - i, depth, r.queries + ((<usize>(i * depth)) << 2), 16);
  }
  scalePanels(r.queries, room * depth, number(frame, Slot.scale));
  const sinks = address(frame, Slot.sinks);
  // A logit that takes part without a value, among the keys of the first span.
  const sink = sinks && !from ? load<f32>(sinks + ((<usize>h) << 2)) : -(<f32>Infinity);
  startStates(r, r.output, r.maxima, r.sums, sink);
  if (several) startTotals(r);

  const matrix = b * size(frame, Slot.heads) + h;
  const weightsKind = size(frame, Slot.weightsKind);
  if (weightsKind == WeightsKind.perHead) r.weights = matrixRow(frame, Slot.weights, matrix, start);
  if (weightsKind) clearScores(r.weights, held, address(frame, Slot.keys), from, to);
  if (size(frame, Slot.scoresKind)) {
    const scores = matrixRow(frame, Slot.scores, matrix, start);
    clearScores(scores, held, address(frame, Slot.keys), from, to);
  }
}

/** No key seen yet: (−∞, 0), or with a sink (sink, 1). */
function startStates(r: Rows, output: usize, maxima: usize, sums: usize, sink: f32): void {
  memory.fill(output, 0, maxima - output);
  const room = (sums - maxima) >> 2;
  for (let i: usize = 0; i < room; i++) {
    const seen = sink != -(<f32>Infinity) && i < <usize>r.count;
    store<f32>(maxima + (i << 2), seen ? sink : -(<f32>Infinity));
    store<f32>(sums + (i << 2), seen ? 1 : 0);
  }
}

export function startTotals(r: Rows): void {
  startStates(r, r.totalOutput, r.totalMaxima, r.totalSums, -(<f32>Infinity));
}

/** Before keys from `from` on are taken: those of another span are merged into the total. */
// @ts-ignore: decorator
@inline
export function turnTo(frame: usize, r: Rows, from: i32): void {
  if (from / SPAN == r.span) return;
  mergeSpan(frame, r, r);
  startStates(r, r.output, r.maxima, r.sums, -(<f32>Infinity));
  r.span = from / SPAN;
}

/**
 * Merges the span of `part` into the total of `r`, as in softmax/state.ts:
 *   m′ = max(m, mₚ),  l′ = l·e^(m − m′) + lₚ·e^(mₚ − m′),  output alike
 */
export function mergeSpan(frame: usize, r: Rows, part: Rows): void {
  if (r.totalSums == part.sums) return;
  const row = (<usize>ceil8(size(frame, Slot.valueSize))) << 2;
  for (let i: usize = 0; i < <usize>r.count; i++) {
    const state = i << 2;
    const l = load<f32>(part.sums + state);
    if (l == 0) continue;
    const before = load<f32>(r.totalMaxima + state);
    const m = max(before, load<f32>(part.maxima + state));
    const base = baseOf(m);
    const alpha = rescaling(before, base);
    const beta = rescaling(load<f32>(part.maxima + state), base);
    store<f32>(r.totalMaxima + state, m);
    store<f32>(r.totalSums + state, load<f32>(r.totalSums + state) * alpha + l * beta);
    const old = f32x4.splat(alpha);
    const added = f32x4.splat(beta);
    const total = r.totalOutput + i * row;
    const output = part.output + i * row;
    for (let at: usize = 0; at < row; at += 16) {
      const kept = f32x4.mul(v128.load(total + at), old);
      v128.store(total + at, madd(v128.load(output + at), added, kept));
    }
  }
}

/** Whether no row of the tile sees any of these keys. */
export function skips(frame: usize, r: Rows, from: i32, count: i32): bool {
  if (everyKey(frame)) return false;
  if (size(frame, Slot.maskCount)) {
    if (tileIsMasked(frame, r.b, r.h, r.start, r.count, from, count)) return true;
  }
  if (!size(frame, Slot.blockSize)) return false;
  return tileIsBlocked(frame, r.b, r.h, r.start, r.count, from, count);
}

/** Writes the rows' results, from their totals. */
export function finishRows(frame: usize, r: Rows, shared: usize): void {
  const block = shared + ((<usize>(2 * tileRows(frame)) * KEYS) << 2);
  const outputRow = (<usize>ceil8(size(frame, Slot.valueSize))) << 2;
  const weightsKind = size(frame, Slot.weightsKind);
  const keys = size(frame, Slot.keys);
  for (let i = 0; i < r.held; i++) {
    const state = (<usize>i) << 2;
    const m = load<f32>(r.totalMaxima + state);
    const l = load<f32>(r.totalSums + state);
    writeOutput(frame, r, i, r.totalOutput + <usize>i * outputRow, l);
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

/** output / l; 0 where no key was seen, and where there is no query, whatever the tile holds there. */
function writeOutput(frame: usize, r: Rows, i: i32, output: usize, l: f32): void {
  const target = element(frame, Slot.output, Slot.outputBatch, r.b, r.h, r.first + i);
  const columns = size(frame, Slot.valueSize);
  if (l == 0) {
    memory.fill(target, 0, (<usize>columns) << 2);
    return;
  }
  const divisor = f32x4.splat(l);
  let j = 0;
  for (; j + 4 <= columns; j += 4) {
    const at = (<usize>j) << 2;
    v128.store(target + at, f32x4.div(v128.load(output + at), divisor));
  }
  for (; j < columns; j++) {
    const at = (<usize>j) << 2;
    store<f32>(target + at, load<f32>(output + at) / l);
  }
}
