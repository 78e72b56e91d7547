// One call of attend, as JavaScript writes it into linear memory. Every field has 32 bits: addresses are
// of bytes, strides in elements, tensors float32 unless said. The caller has checked every size.

import { Strides } from "../strided";

/** One batch: its sizes, and where it starts among the rows of the tensors. */
@unmanaged
export class Sequence {
  queries: i32 = 0;
  keys: i32 = 0;
  /** Of the first query among the keys. */
  position: i32 = 0;
  queryStart: i32 = 0;
  keyStart: i32 = 0;
}

/** A mask. It is applied after those before it. */
@unmanaged
export class Mask {
  data: usize = 0;
  /** As data; 0 for none. */
  gradient: usize = 0;
  /** Strides. */
  batch: usize = 0;
  head: usize = 0;
  row: usize = 0;
  /** 0 or 1 */
  column: usize = 0;
  /** MaskKind */
  kind: i32 = 0;
  /** Keys that it covers; those past them are left out. */
  columns: i32 = 0;
}


@unmanaged
export class AttendFrame {
  // How the work is divided, which changes no result.
  /** Threads that the scratch has parts for. */
  threads: i32 = 0;
  /** Key and value heads that are packed at a time. */
  packedHeads: i32 = 0;

  // Addresses.
  query: usize = 0;
  key: usize = 0;
  value: usize = 0;
  output: usize = 0;
  /** 0 where it is not asked for, like the two after it. */
  logSumExp: usize = 0;
  weights: usize = 0;
  scores: usize = 0;
  /** [heads] or [batch, heads] */
  slopes: usize = 0;
  /** [heads], 0 for none */
  sinks: usize = 0;
  /** uint8 */
  blocks: usize = 0;
  /** Sequence [batch] */
  sequences: usize = 0;
  scratch: usize = 0;

  // Sizes.
  batch: i32 = 0;
  heads: i32 = 0;
  keyValueHeads: i32 = 0;
  queries: i32 = 0;
  keys: i32 = 0;
  headSize: i32 = 0;
  valueSize: i32 = 0;

  // Strides of batch, head and row.
  queryBatch: usize = 0;
  queryHead: usize = 0;
  queryRow: usize = 0;
  keyBatch: usize = 0;
  keyHead: usize = 0;
  keyRow: usize = 0;
  valueBatch: usize = 0;
  valueHead: usize = 0;
  valueRow: usize = 0;
  outputBatch: usize = 0;
  outputHead: usize = 0;
  outputRow: usize = 0;
  blocksBatch: usize = 0;
  blocksHead: usize = 0;
  blocksRow: usize = 0;
  /** 0 or 1 */
  blocksColumn: usize = 0;
  slopesBatch: usize = 0;
  logSumExpBatch: usize = 0;
  logSumExpHead: usize = 0;

  // What to compute.
  scale: f32 = 0;
  /** 0 for none */
  softcap: f32 = 0;
  /** Keys a query sees before its position, UNLIMITED for all. */
  left: i32 = 0;
  /** And after it. */
  right: i32 = 0;
  /** Queries and keys of a block, 0 for no block mask. */
  blockSize: i32 = 0;
  maskCount: i32 = 0;
  /** Bytes from the frame to its Mask [maskCount], behind it. */
  masksAt: usize = 0;
  /** AlibiDistance */
  distance: i32 = 0;
  weightsKind: i32 = 0;
  scoresKind: i32 = 0;
  /** 1: scores pass through JavaScript. */
  modified: i32 = 0;
  /** 1: sequences lie end to end, a result has no rows past them. */
  endToEnd: i32 = 0;
  /** Dropout: weights whose number lies below it are dropped, 0 for none. */
  dropped: u32 = 0;
  /** The factor on those that are not. */
  dropoutFactor: f32 = 0;
  seedLow: u32 = 0;
  seedHigh: u32 = 0;

  // Keys and values in pages, see cache/locate.ts. The batch stride is that between two entries of the table.
  /** The step that says where a tile's rows lie, by its number in the table of functions; 0 for none. */
  locate: i32 = 0;
  /** int32 [batch][pageCount] */
  pages: usize = 0;
  pageCount: i32 = 0;
  /** Rows of a page. */
  pageSize: i32 = 0;
  /** NumbersKind */
  numbers: i32 = 0;
  /** Strides of rows in a page. */
  keyPageRow: usize = 0;
  valuePageRow: usize = 0;
  /** Of each thread's scratch, for rows that are gathered; 0 where they are read where they lie. */
  gatherBytes: i32 = 0;
  /** Keys at the beginning that every query sees besides its window. */
  sinkKeys: i32 = 0;

  /**
   * Where the states of each span go instead of a result: output [stateRows][columns], m [stateRows] and
   * l [stateRows], span after span, all 0 before; 0 for none.
   */
  states: usize = 0;
  /** Rows of all batches and heads, in the order of logSumExp. */
  stateRows: i32 = 0;
}

// @ts-ignore: decorator
@inline
export function sequenceOf(frame: AttendFrame, b: i32): Sequence {
  return changetype<Sequence>(frame.sequences + <usize>b * offsetof<Sequence>());
}

// @ts-ignore: decorator
@inline
export function queryStrides(frame: AttendFrame): Strides {
  return changetype<Strides>(changetype<usize>(frame) + offsetof<AttendFrame>("queryBatch"));
}

// @ts-ignore: decorator
@inline
export function keyStrides(frame: AttendFrame): Strides {
  return changetype<Strides>(changetype<usize>(frame) + offsetof<AttendFrame>("keyBatch"));
}

// @ts-ignore: decorator
@inline
export function valueStrides(frame: AttendFrame): Strides {
  return changetype<Strides>(changetype<usize>(frame) + offsetof<AttendFrame>("valueBatch"));
}

// @ts-ignore: decorator
@inline
export function outputStrides(frame: AttendFrame): Strides {
  return changetype<Strides>(changetype<usize>(frame) + offsetof<AttendFrame>("outputBatch"));
}
