// One call of append or read: rows of keys and values on their way between tensors and pages. Fields as in
// attend/frame.ts.

import { Strides } from "../strided";

/** Rows that lie end to end in a page, and where they stand in the tensors. */
@unmanaged
export class Segment {
  /** Byte address. */
  page: usize = 0;
  /** First row in it. */
  row: i32 = 0;
  rows: i32 = 0;
  batch: i32 = 0;
  /** Row of the tensors. */
  first: i32 = 0;
}


@unmanaged
export class PagesFrame {
  keyValueHeads: i32 = 0;
  headSize: i32 = 0;
  valueSize: i32 = 0;
  /** NumbersKind */
  numbers: i32 = 0;
  /** Words of a stored row. */
  keyWords: i32 = 0;
  valueWords: i32 = 0;
  /** Room for a row of D floats. */
  scratch: usize = 0;
  /** Rows of a page. */
  pageSize: i32 = 0;
  key: usize = 0;
  value: usize = 0;
  /** Strides of batch, head and row. */
  keyBatch: usize = 0;
  keyHead: usize = 0;
  keyRow: usize = 0;
  valueBatch: usize = 0;
  valueHead: usize = 0;
  valueRow: usize = 0;
  /** Segment [segmentCount] */
  segments: usize = 0;
  segmentCount: i32 = 0;
}

// @ts-ignore: decorator
@inline
export function segmentOf(frame: PagesFrame, index: i32): Segment {
  return changetype<Segment>(frame.segments + <usize>index * offsetof<Segment>());
}

// @ts-ignore: decorator
@inline
export function keyStrides(frame: PagesFrame): Strides {
  return changetype<Strides>(changetype<usize>(frame) + offsetof<PagesFrame>("keyBatch"));
}

// @ts-ignore: decorator
@inline
export function valueStrides(frame: PagesFrame): Strides {
  return changetype<Strides>(changetype<usize>(frame) + offsetof<PagesFrame>("valueBatch"));
}
