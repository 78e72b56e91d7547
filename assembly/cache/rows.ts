// Rows of float32 keys and values into pages, and out of them. A page holds keys [Hkv][pageSize][D], then
// values [Hkv][pageSize][Dv]: one head's rows lie end to end, as the tile loop reads them.

import { rowAt } from "../strided";
import { keyStrides, PagesFrame, Segment, segmentOf, valueStrides } from "./frame";

/** Writes the segments' rows into their pages. */
export function append(frame: PagesFrame): void {
  for (let i = 0; i < frame.segmentCount; i++) {
    const s = segmentOf(frame, i);
    for (let head = 0; head < frame.keyValueHeads; head++) {
      const key = rowAt(frame.key, keyStrides(frame), s.batch, head, s.first);
      copyRows(key, frame.keyRow, keysIn(frame, s, head), frame.headSize, s.rows, frame.headSize);
      const value = rowAt(frame.value, valueStrides(frame), s.batch, head, s.first);
      const size = frame.valueSize;
      copyRows(value, frame.valueRow, valuesIn(frame, s, head), size, s.rows, size);
    }
  }
}

/** Copies the segments' rows out of their pages. */
export function read(frame: PagesFrame): void {
  for (let i = 0; i < frame.segmentCount; i++) {
    const s = segmentOf(frame, i);
    for (let head = 0; head < frame.keyValueHeads; head++) {
      const key = rowAt(frame.key, keyStrides(frame), s.batch, head, s.first);
      copyRows(keysIn(frame, s, head), frame.headSize, key, frame.keyRow, s.rows, frame.headSize);
      const value = rowAt(frame.value, valueStrides(frame), s.batch, head, s.first);
      const size = frame.valueSize;
      copyRows(valuesIn(frame, s, head), size, value, frame.valueRow, s.rows, size);
    }
  }
}

// @ts-ignore: decorator
@inline
function keysIn(frame: PagesFrame, s: Segment, head: i32): usize {
  const row = <usize>(head * frame.pageSize + s.row);
  return s.page + ((row * <usize>frame.headSize) << 2);
}

// @ts-ignore: decorator
@inline
function valuesIn(frame: PagesFrame, s: Segment, head: i32): usize {
  const keys = <usize>(frame.keyValueHeads * frame.pageSize) * <usize>frame.headSize;
  const row = <usize>(head * frame.pageSize + s.row);
  return s.page + ((keys + row * <usize>frame.valueSize) << 2);
}

const SMALL: usize = 1024;

/** `rows` rows of `size` floats; strides in elements. */
export function copyRows(
  source: usize,
  sourceRow: usize,
  target: usize,
  targetRow: usize,
  rows: i32,
  size: i32,
): void {
  const bytes = (<usize>size) << 2;
  if (bytes <= SMALL && !(bytes & 15)) {
    // A call of memory.copy takes longer than such a row.
    for (let i = 0; i < rows; i++) {
      for (let at: usize = 0; at < bytes; at += 16) {
        v128.store(target + at, v128.load(source + at));
      }
      source += sourceRow << 2;
      target += targetRow << 2;
    }
    return;
  }
  if (sourceRow == targetRow && sourceRow == <usize>size) {
    memory.copy(target, source, bytes * <usize>rows);
    return;
  }
  for (let i = 0; i < rows; i++) {
    memory.copy(target, source, bytes);
    source += sourceRow << 2;
    target += targetRow << 2;
  }
}
