// Tiles of 8 bits: one step of the tile loop with them.
//
// What keys and values had taken from them comes back in float32: q_i · μ to each score of a tile, ν times the
// sum of its weights to the output. So scores are what they are in float32, and every option of attend too.

import { AttendFrame } from "../../attend/frame";
import { tileAt } from "../../attend/roads/many";
import { Rows } from "../../attend/rows";
import { blockOf, scoresOf, spareOf } from "../../attend/scratch";
import { dropWeights } from "../../attend/scores/dropout";
import { finishScores } from "../../attend/scores/scores";
import { storeScores } from "../../attend/scores/weights";
import { attendTile, reach } from "../../attend/step";
import { byteForm, ByteForm, numberBytes } from "../../simd/bytes";
import { ceil8, KEYS, REGISTER_ROWS, TILE_ROW } from "../../tiles";
import { multiplyScores, multiplyValues } from "../products";
import { balanceHead } from "./balance";
import {
  byteRowsBytes,
  offsets,
  productAt,
  queryNumbers,
  queryRowBytes,
  queryScales,
  specialOf,
  weightNumbers,
  weightScales,
  weightSums,
} from "./behind";
import {
  balanceBytes,
  byteTileBytes,
  keyMeans,
  keyNumbers,
  keyPanelBytes,
  keyScales,
  keySums,
  valueMeans,
  valueNumbers,
  valuePanelBytes,
  valueScales,
  valueSpreads,
} from "./layout";
import { offsetRows, roundQueries, scoreSpecial } from "./queries";
import { moveState, roundWeights, scaleWeights, sumOf } from "./softmax";
import { isOfBytes, packBytes } from "./tile";

/** Tiles of 8 bits, see attend/roads/many.ts. */
@unmanaged
export class Bytes {
  headItems(): i32 {
    return 1;
  }

  headBytes(frame: AttendFrame): u64 {
    return balanceBytes(frame);
  }

  prepare(frame: AttendFrame, head: i32, panels: usize): void {
    balanceHead(frame, head, panels);
  }

  tileBytes(frame: AttendFrame): u64 {
    return byteTileBytes(frame);
  }

  rowsBytes(frame: AttendFrame): u64 {
    return byteRowsBytes(frame);
  }

  pack(
    frame: AttendFrame,
    head: i32,
    from: i32,
    count: i32,
    panels: usize,
    _gathered: usize,
  ): void {
    packBytes(frame, head, from, count, tileAt<Bytes>(frame, panels, from), panels);
  }

  begin(frame: AttendFrame, r: Rows, panels: usize): void {
    roundQueries(frame, r, panels);
  }

  attend(frame: AttendFrame, r: Rows, tile: usize, scratch: usize): void {
    if (isOfBytes(tile)) attendBytes(frame, r, tile, scratch);
    else attendTile(frame, r, tile, scratch);
  }
}

/** The rows attend to a tile of bytes, as attendTile of attend/step.ts. */
function attendBytes(frame: AttendFrame, r: Rows, tile: usize, scratch: usize): void {
  const scores = scoresOf(scratch);
  const p = productAt(frame, r);
  offsetRows(frame, r, keyMeans(frame, tile));
  p.form = byteForm();
  p.a = queryNumbers(frame, r);
  p.aRow = queryRowBytes(frame);
  p.b = keyNumbers(frame, tile);
  p.panel = keyPanelBytes(frame);
  p.c = scores;
  p.cRow = TILE_ROW;
  p.rows = r.rows;
  p.columns = r.columns;
  p.depth = frame.headSize;
  p.reach = reach(frame, r);
  p.rowScales = queryScales(frame, r);
  p.rowOffsets = offsets(frame, r);
  p.columnScales = keyScales(tile);
  p.columnSums = keySums(frame, tile);
  multiplyScores(p);
  for (let left = load<u64>(specialOf(frame, r)); left; left &= left - 1) {
    const i = <i32>ctz(left);
    if (i < r.rows) scoreSpecial(frame, r, tile, i, scores + <usize>i * TILE_ROW);
  }
  finishScores(frame, r, scores, spareOf(frame, scratch));
  if (frame.weightsKind) storeScores(r, scores, r.weights, <usize>frame.keys);
  weighRows(frame, r, tile, scratch);

  p.a = weightNumbers(frame, r);
  p.aRow = <usize>KEYS * numberBytes(p.form);
  p.b = valueNumbers(frame, tile);
  p.panel = valuePanelBytes(frame);
  p.c = r.states.output;
  p.cRow = (<usize>r.states.columns) << 2;
  p.columns = r.states.columns;
  p.depth = r.columns;
  p.rowScales = weightScales(frame, r);
  p.rowOffsets = weightSums(frame, r);
  p.columnScales = valueSpreads(frame, tile);
  p.columnOffsets = valueMeans(frame, tile);
  multiplyValues(p);
}

/** Scores become weights of the rows' states, and these bytes. */
function weighRows(frame: AttendFrame, r: Rows, tile: usize, scratch: usize): void {
  const words = byteForm() == ByteForm.words;
  const bytes = <usize>KEYS * numberBytes(byteForm());
  const scales = valueScales(frame, tile);
  const scores = scoresOf(scratch);
  const seen = reach(frame, r);
  for (let i = 0; i < ((r.rows + 3) & ~3); i++) {
    const row = scores + <usize>i * TILE_ROW;
    const at = (<usize>i) << 2;
    // As many for all rows of a register block, as in softmaxTile.
    const count = i < r.rows ? min(seen + (i | (REGISTER_ROWS - 1)), r.columns) : 0;
    const filled = max(ceil8(count), 0);
    let sum: f32 = 0;
    // u lies where the largest is found.
    const largest = weightScales(frame, r) + at;
    store<f32>(largest, 0);
    if (frame.dropped && count > 0) {
      moveState(r.states, i, row, filled, 0, largest);
      dropWeights(frame, r, i, count, row, blockOf(frame, scratch));
      sum = sumOf(row, filled);
      scaleWeights(row, scales, filled, largest);
    } else if (count > 0) {
      sum = moveState(r.states, i, row, filled, scales, largest);
    }
    store<f32>(weightSums(frame, r) + at, sum);
    roundWeights(row, filled, weightNumbers(frame, r) + <usize>i * bytes, words, largest);
  }
}
