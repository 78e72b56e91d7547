// entmax over the middle axis of [rows, columns, inner], and its gradients. A row is worked on in the thread's scratch:
// two EntmaxRows, then the row, its gradients and its list, each of whole segments. An item is some rows.

import { itemRows, partsOf } from "../blocks/parts";
import { KEYS, TILE_ROW } from "../tiles";
import { EntmaxRow } from "./entmax";
import { EntmaxFrame } from "./frame";
import { sparseBackward, sparseRow } from "./sparse";

const HEADER: usize = 64;
const SECOND: usize = 32;

// @ts-ignore: decorator
@inline
function segments(frame: EntmaxFrame): i32 {
  return partsOf(frame.columns, KEYS);
}

export function entmaxScratchBytes(frame: EntmaxFrame): f64 {
  return <f64>frame.threads * (<f64>HEADER + 3 * <f64>segments(frame) * <f64>TILE_ROW);
}

// @ts-ignore: decorator
@inline
function rowsOf(frame: EntmaxFrame): i32 {
  return frame.rows * frame.inner;
}

export function entmaxItems(frame: EntmaxFrame): f64 {
  return <f64>partsOf(rowsOf(frame), itemRows(frame.columns));
}

export function entmaxRun(frame: EntmaxFrame, item: i32, thread: i32, backward: bool): void {
  const bytes = <usize>segments(frame) * TILE_ROW;
  const mine = frame.scratch + <usize>thread * (HEADER + 3 * bytes);
  const row = describe(frame, mine, mine + HEADER);
  row.list = mine + HEADER + 2 * bytes;
  const gradients = describe(frame, mine + SECOND, mine + HEADER + bytes);
  const size = itemRows(frame.columns);
  const end = min((item + 1) * size, rowsOf(frame));
  for (let i = item * size; i < end; i++) {
    const outer = <usize>(i / frame.inner) * <usize>frame.columns;
    const offset = (outer * <usize>frame.inner + <usize>(i % frame.inner)) << 2;
    gather(frame, frame.input + offset, row.at, backward ? 0 : -(<f32>Infinity));
    if (!backward) {
      sparseRow(row, frame.kind, frame.alpha);
      scatter(frame, row.at, frame.result + offset);
      continue;
    }
    gather(frame, frame.outputGradient + offset, gradients.at, 0);
    const alpha = sparseBackward(row, gradients, frame.kind, frame.alpha);
    scatter(frame, gradients.at, frame.result + offset);
    store<f32>(frame.alphasGradient + ((<usize>i) << 2), <f32>alpha);
  }
}

function describe(frame: EntmaxFrame, at: usize, row: usize): EntmaxRow {
  const described = changetype<EntmaxRow>(at);
  described.at = row;
  described.segments = segments(frame);
  described.step = TILE_ROW;
  return described;
}

/** A column of the input, `rest` past its end. */
function gather(frame: EntmaxFrame, source: usize, row: usize, rest: f32): void {
  const step = (<usize>frame.inner) << 2;
  const end = row + <usize>segments(frame) * TILE_ROW;
  let at = row;
  for (let j = 0; j < frame.columns; j++) {
    store<f32>(at, load<f32>(source));
    source += step;
    at += 4;
  }
  for (; at < end; at += 4) store<f32>(at, rest);
}

function scatter(frame: EntmaxFrame, row: usize, target: usize): void {
  const step = (<usize>frame.inner) << 2;
  for (let j = 0; j < frame.columns; j++) {
    store<f32>(target, load<f32>(row));
    target += step;
    row += 4;
  }
}
