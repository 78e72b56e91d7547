// One step of the tile loop: rows attend to a tile of keys. Scores, softmax state, weighted values.
//
// Keys come packed, see panels.ts, or for a single row they have been scored where they lie, see
// roads/one.ts.

import { scoreTile, valueTile, valueTileSkipping } from "../gemm/products";
import { updateState } from "../softmax/state";
import { ceil8, KEYS, PART, REGISTER_ROWS, TILE_ROW } from "../tiles";
import { AttendFrame } from "./frame";
import {
  packTile,
  panelTileBytes,
  tileIsFinite,
  tileKeyPanels,
  tileKeys,
  tileValuePanels,
} from "./panels";
import { Rows, rowsBytes } from "./rows";
import { dropWeights } from "./scores/dropout";
import { finishScores } from "./scores/scores";
import { storeScores } from "./scores/weights";
import { blockOf, productOf, scoresOf, spareOf } from "./scratch";
import { reachOf } from "./visible/window";

/** Keys that `rows` rows attend to in one part of an item. */
// @ts-ignore: decorator
@inline
export function partKeys(frame: AttendFrame, rows: i32): i32 {
  const numbers = <i64>max(rows, 1) * (frame.headSize + frame.valueSize);
  return <i32>max((PART / max(numbers, 1)) & ~(<i64>KEYS - 1), KEYS);
}

/** Keys past its column that the first row sees; the caller's function is shown every score. */
// @ts-ignore: decorator
@inline
export function reach(frame: AttendFrame, r: Rows): i32 {
  return frame.modified ? KEYS : reachOf(frame, r.position, r.column);
}

/** The rows attend to their tile's keys, packed at `panels`. */
export function attendTile(frame: AttendFrame, r: Rows, panels: usize, scratch: usize): void {
  const scores = scoresOf(scratch);
  const p = productOf(scratch);
  p.a = r.queries;
  p.b = tileKeyPanels(panels);
  p.c = scores;
  p.rows = r.rows;
  p.columns = r.columns;
  p.depth = frame.headSize;
  p.reach = reach(frame, r);
  scoreTile(p);
  const finite = tileIsFinite(panels);
  softmaxTile(frame, r, scratch, !finite);

  p.a = scores;
  p.b = tileValuePanels(frame, panels);
  p.c = r.states.output;
  p.columns = r.states.columns;
  p.depth = r.columns;
  p.panel = <usize>tileKeys(frame);
  p.cRow = (<usize>r.states.columns) << 2;
  if (finite) valueTile(p);
  else valueTileSkipping(p, spareOf(frame, scratch));
}

/** Tiles of float32, see roads/many.ts. */
@unmanaged
export class Floats {
  headItems(): i32 {
    return 0;
  }

  headBytes(_frame: AttendFrame): u64 {
    return 0;
  }

  prepare(_frame: AttendFrame, _head: i32, _panels: usize): void {}

  tileBytes(frame: AttendFrame): u64 {
    return panelTileBytes(frame);
  }

  rowsBytes(frame: AttendFrame): u64 {
    return rowsBytes(frame);
  }

  pack(frame: AttendFrame, head: i32, from: i32, count: i32, panels: usize, gathered: usize): void {
    const tile = panels + <usize>(from / KEYS) * <usize>panelTileBytes(frame);
    packTile(frame, head, from, count, tile, gathered);
  }

  begin(_frame: AttendFrame, _r: Rows, _panels: usize): void {}

  attend(frame: AttendFrame, r: Rows, panels: usize, scratch: usize): void {
    attendTile(frame, r, panels, scratch);
  }
}

/** Scores become weights of the rows' states; with `copy` the scores stay in the spare tile. */
export function softmaxTile(frame: AttendFrame, r: Rows, scratch: usize, copy: bool): void {
  const seen = reach(frame, r);
  const scores = scoresOf(scratch);
  const spare = spareOf(frame, scratch);
  finishScores(frame, r, scores, spare);
  if (frame.weightsKind) storeScores(r, scores, r.weights, <usize>frame.keys);
  if (copy) memory.copy(spare, scores, <usize>r.rows * TILE_ROW);
  for (let i = 0; i < r.rows; i++) {
    // As many for all rows of a register block: the score of a key that a row does not see is −∞.
    const count = min(seen + (i | (REGISTER_ROWS - 1)), r.columns);
    if (count <= 0) continue;
    const row = scores + <usize>i * TILE_ROW;
    updateState(r.states, i, row, ceil8(count));
    if (frame.dropped) dropWeights(frame, r, i, count, row, blockOf(frame, scratch));
  }
}
