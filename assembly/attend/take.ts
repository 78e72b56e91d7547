// A tile's rows take a tile of keys: scores, softmax state, weighted values.
//
// Keys come packed, see panels.ts, or for a single row they have been scored where they lie, see
// stream.ts.

import { Sequence, Slot } from "../frame";
import { address, size } from "../slots";
import { baseOf, exponentiate, rescaling, rowMaximum } from "../softmax/state";
import { KEYS, REGISTER_ROWS } from "../tiles";
import { Ahead } from "./ahead";
import { dropWeights } from "./dropout";
import { ceil8, tileIsFinite, tileKeyPanels, tileValuePanels, valuePanelBytes } from "./panels";
import { scoreTile, valueTile, valueTileSkipping } from "./products";
import { Rows, tileRows } from "./rows";
import { finishScores } from "./scores";
import { valueRow } from "./single";
import { keepScores } from "./weights";
import { reachOf, sequence } from "./window";

// @ts-ignore: decorator
@inline
function spareOf(frame: usize, shared: usize): usize {
  return shared + ((<usize>tileRows(frame) * KEYS) << 2);
}

/** Keys past `from` that the first row sees; the caller's function is shown every score. */
// @ts-ignore: decorator
@inline
function reach(frame: usize, r: Rows, from: i32): i32 {
  return size(frame, Slot.modified) ? KEYS : reachOf(frame, r.position, from);
}

/** Keys [from, from + count), packed in `panels` as tile `index`. */
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
  const spare = spareOf(frame, shared);
  const rows = r.count;
  const seen = reach(frame, r, from);
  const keys = tileKeyPanels(frame, panels, index);
  scoreTile(r.queries, keys, size(frame, Slot.headSize), rows, count, seen, scores);
  const finite = tileIsFinite(frame, panels, index);
  weigh(frame, r, from, count, seen, shared, !finite);

  const columns = ceil8(size(frame, Slot.valueSize));
  const outputRow = (<usize>columns) << 2;
  const values = tileValuePanels(frame, panels, index);
  const panel = valuePanelBytes(frame);
  if (finite) {
    valueTile(scores, values, panel, count, rows, columns, seen, r.output, outputRow);
  } else {
    valueTileSkipping(spare, scores, values, panel, count, rows, columns, r.output, outputRow);
  }
}

/**
 * Keys [from, from + count) of a single row, whose scores lie in `shared`. Meanwhile the keys of
 * `ahead` are scored.
 */
export function takeScored(
  frame: usize,
  r: Rows,
  from: i32,
  count: i32,
  shared: usize,
  ahead: Ahead,
): void {
  const spare = spareOf(frame, shared);
  weigh(frame, r, from, count, reach(frame, r, from), shared, true);
  // The output has room for a register block of rows.
  const partial = r.output + ((<usize>ceil8(size(frame, Slot.valueSize))) << 2);
  valueRow(frame, r.b, r.h, spare, shared, from, count, r.output, partial, ahead);
}

/** Scores become weights of the rows' states; with `keep` the scores stay in the spare room. */
function weigh(
  frame: usize,
  r: Rows,
  from: i32,
  count: i32,
  seen: i32,
  shared: usize,
  keep: bool,
): void {
  const scores = shared;
  const spare = spareOf(frame, shared);
  const rows = r.count;
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
  if (keep) memory.copy(spare, scores, (<usize>rows * KEYS) << 2);
  const columns = ceil8(size(frame, Slot.valueSize));
  const outputRow = (<usize>columns) << 2;
  for (let i: usize = 0; i < <usize>rows; i++) {
    const state = i << 2;
    // As many for all rows of a register block: what one of them does not see is e^−∞.
    const weighed = min(seen + ((<i32>i) | (REGISTER_ROWS - 1)), count);
    if (weighed <= 0) continue;
    const row = scores + state * KEYS;
    moveState(
      row,
      ceil8(weighed),
      r.maxima + state,
      r.sums + state,
      r.output + i * outputRow,
      columns,
    );
    if (size(frame, Slot.dropped)) {
      const block = spare + ((<usize>tileRows(frame) * KEYS) << 2);
      dropWeights(frame, r.b, r.h, r.start + <i32>i, from, weighed, row, block);
    }
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
    // Nothing was added under the old maximum but, where scores were NaN, NaN.
    store<f32>(sum, load<f32>(sum) + added);
    return;
  }
  const alpha = rescaling(before, base);
  store<f32>(sum, load<f32>(sum) * alpha + added);
  const factor = f32x4.splat(alpha);
  const end = output + ((<usize>columns) << 2);
  for (let at = output; at < end; at += 16) v128.store(at, f32x4.mul(v128.load(at), factor));
}
