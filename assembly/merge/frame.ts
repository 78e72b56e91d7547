// One call of mergeStates. Fields as in attend/frame.ts.

import { Strides } from "../strided";

/** What attend gave over some of the keys: addresses of its output and logSumExp. */
@unmanaged
export class Part {
  output: usize = 0;
  logSumExp: usize = 0;
}


@unmanaged
export class MergeFrame {
  batch: i32 = 0;
  heads: i32 = 0;
  queries: i32 = 0;
  valueSize: i32 = 0;
  output: usize = 0;
  logSumExp: usize = 0;
  /** Part [partCount] */
  parts: usize = 0;
  partCount: i32 = 0;
  /** Strides of every output. */
  outputBatch: usize = 0;
  outputHead: usize = 0;
  outputRow: usize = 0;
}

/** One call of mergeSpans. */
@unmanaged
export class SpansFrame {
  rows: i32 = 0;
  columns: i32 = 0;
  /** Of the states. */
  count: i32 = 0;
  /** End to end. */
  states: usize = 0;
  /** Room for two States. */
  scratch: usize = 0;
}

// @ts-ignore: decorator
@inline
export function outputStrides(frame: MergeFrame): Strides {
  return changetype<Strides>(changetype<usize>(frame) + offsetof<MergeFrame>("outputBatch"));
}

// @ts-ignore: decorator
@inline
export function partOf(frame: MergeFrame, index: i32): Part {
  return changetype<Part>(frame.parts + <usize>index * offsetof<Part>());
}
