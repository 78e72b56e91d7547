// A step of the tile loop: where a tile's keys or values lie that are kept in pages.
//
//   row j of head h of a sequence is row j mod pageSize of h in page pages[⌊j / pageSize⌋]
//
// Where pages are whole tiles that is all. Else the tile's rows are copied into the thread's gathered, end
// to end. A page that was evicted is named by another one's number: no row of it is seen.

import { AttendFrame, keyStrides, valueStrides } from "../attend/frame";
import { KEYS } from "../tiles";
import { copyRows } from "./rows";

/** See attend/located.ts. */
export function locate(
  frame: AttendFrame,
  values: bool,
  index: i32,
  from: i32,
  count: i32,
  gathered: usize,
): usize {
  const b = index / frame.keyValueHeads;
  const head = <usize>(index % frame.keyValueHeads);
  const table = frame.pages + ((<usize>b * <usize>frame.pageCount) << 2);
  const strides = values ? valueStrides(frame) : keyStrides(frame);
  const pageRow = values ? frame.valuePageRow : frame.keyPageRow;
  const origin = (values ? frame.value : frame.key) + ((head * strides.head) << 2);
  if (!frame.gatherBytes) return rowOf(frame, table, origin, strides.batch, pageRow, from);
  const size = values ? frame.valueSize : frame.headSize;
  const copied = values ? gathered + ((<usize>(KEYS * frame.headSize)) << 2) : gathered;
  let into = copied;
  while (count > 0) {
    const rows = min(count, frame.pageSize - (from % frame.pageSize));
    const source = rowOf(frame, table, origin, strides.batch, pageRow, from);
    copyRows(source, pageRow, into, <usize>size, rows, size);
    into += (<usize>(rows * size)) << 2;
    from += rows;
    count -= rows;
  }
  return copied;
}

/** Row `row` of batch b; `origin` is the head's first row in page 0, `page` the stride of entries. */
// @ts-ignore: decorator
@inline
export function storedRow(
  frame: AttendFrame,
  b: i32,
  origin: usize,
  page: usize,
  pageRow: usize,
  row: i32,
): usize {
  const table = frame.pages + ((<usize>b * <usize>frame.pageCount) << 2);
  return rowOf(frame, table, origin, page, pageRow, row);
}

/** The same, in a batch's table. */
// @ts-ignore: decorator
@inline
function rowOf(
  frame: AttendFrame,
  table: usize,
  origin: usize,
  page: usize,
  pageRow: usize,
  row: i32,
): usize {
  const entry = <usize>load<i32>(table + ((<usize>(row / frame.pageSize)) << 2));
  return origin + ((entry * page + <usize>(row % frame.pageSize) * pageRow) << 2);
}
