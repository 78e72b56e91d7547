// Rows of keys and values into pages, and out of them. A page holds keys [Hkv][pageSize], then values
// [Hkv][pageSize], rows as numbers.ts stores them: one head's lie end to end, as the tile loop reads them.
// Keys of few bits are stored transformed, see hadamard.ts.

import { NumbersKind } from "../kinds";
import { rowAt } from "../strided";
import { keyStrides, PagesFrame, Segment, segmentOf, valueStrides } from "./frame";
import { hadamard, shrink } from "./hadamard";
import { decodeRows, encodeRow } from "./numbers";

/** Writes the segments' rows into their pages. */
export function append(frame: PagesFrame): void {
  for (let i = 0; i < frame.segmentCount; i++) {
    const s = segmentOf(frame, i);
    for (let head = 0; head < frame.keyValueHeads; head++) {
      const key = rowAt(frame.key, keyStrides(frame), s.batch, head, s.first);
      const value = rowAt(frame.value, valueStrides(frame), s.batch, head, s.first);
      if (frame.numbers) encode(frame, s, head, key, value);
      else {
        const size = frame.valueSize;
        copyRows(key, frame.keyRow, keysIn(frame, s, head), frame.headSize, s.rows, frame.headSize);
        copyRows(value, frame.valueRow, valuesIn(frame, s, head), size, s.rows, size);
      }
    }
  }
}

/** Copies the segments' rows out of their pages. */
export function read(frame: PagesFrame): void {
  for (let i = 0; i < frame.segmentCount; i++) {
    const s = segmentOf(frame, i);
    for (let head = 0; head < frame.keyValueHeads; head++) {
      const key = rowAt(frame.key, keyStrides(frame), s.batch, head, s.first);
      const value = rowAt(frame.value, valueStrides(frame), s.batch, head, s.first);
      if (frame.numbers) decode(frame, s, head, key, value);
      else {
        const size = frame.valueSize;
        copyRows(keysIn(frame, s, head), frame.headSize, key, frame.keyRow, s.rows, frame.headSize);
        copyRows(valuesIn(frame, s, head), size, value, frame.valueRow, s.rows, size);
      }
    }
  }
}

// @ts-ignore: decorator
@inline
function isTransformed(frame: PagesFrame): bool {
  return frame.numbers >= NumbersKind.int8;
}

function encode(frame: PagesFrame, s: Segment, head: i32, key: usize, value: usize): void {
  const size = frame.headSize;
  let keys = keysIn(frame, s, head);
  let values = valuesIn(frame, s, head);
  for (let i = 0; i < s.rows; i++) {
    let row = key;
    if (isTransformed(frame)) {
      row = frame.scratch;
      shrink(key, size, row);
      hadamard(row, size);
    }
    encodeRow(frame.numbers, row, size, keys);
    encodeRow(frame.numbers, value, frame.valueSize, values);
    key += frame.keyRow << 2;
    value += frame.valueRow << 2;
    keys += (<usize>frame.keyWords) << 2;
    values += (<usize>frame.valueWords) << 2;
  }
}

function decode(frame: PagesFrame, s: Segment, head: i32, key: usize, value: usize): void {
  const size = frame.headSize;
  let keys = keysIn(frame, s, head);
  let values = valuesIn(frame, s, head);
  for (let i = 0; i < s.rows; i++) {
    decodeRows(frame.numbers, keys, 0, key, 1, size);
    if (isTransformed(frame)) hadamard(key, size);
    decodeRows(frame.numbers, values, 0, value, 1, frame.valueSize);
    key += frame.keyRow << 2;
    value += frame.valueRow << 2;
    keys += (<usize>frame.keyWords) << 2;
    values += (<usize>frame.valueWords) << 2;
  }
}

// @ts-ignore: decorator
@inline
function keysIn(frame: PagesFrame, s: Segment, head: i32): usize {
  const row = <usize>(head * frame.pageSize + s.row);
  return s.page + ((row * <usize>frame.keyWords) << 2);
}

// @ts-ignore: decorator
@inline
function valuesIn(frame: PagesFrame, s: Segment, head: i32): usize {
  const keys = <usize>(frame.keyValueHeads * frame.pageSize) * <usize>frame.keyWords;
  const row = <usize>(head * frame.pageSize + s.row);
  return s.page + ((keys + row * <usize>frame.valueWords) << 2);
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
