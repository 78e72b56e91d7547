// The call frame: one block of 32-bit slots in linear memory through which JavaScript
// hands a call to a kernel. This file is compiled into both sides, so its layout is
// written once. Pointers are byte addresses, strides are in elements, tensors are
// float32 unless said; the caller has checked every size.

export enum Slot {
  // attend and linear: how the work is divided, which changes no result
  threads, // that share the scratch
  heldHeads, // key and value heads that are packed at a time

  // attend: addresses
  query,
  key,
  value,
  output,
  logSumExp,
  weights,
  scores,
  slopes, // [heads] or [batch, heads]
  sinks, // [heads], 0 for none
  blocks, // uint8
  sequences, // int32 [batch][Sequence.count]
  scratch,
  outputGradient, // as output
  queryGradient, // as query, and so on
  keyGradient,
  valueGradient,
  slopesGradient, // [batch, heads]; 0 for none, like those below
  sinksGradient, // [batch, heads]

  // attend: sizes
  batch,
  heads,
  keyValueHeads,
  queries,
  keys,
  headSize,
  valueSize,

  // attend: strides of batch, head and row
  queryBatch,
  queryHead,
  queryRow,
  keyBatch,
  keyHead,
  keyRow,
  valueBatch,
  valueHead,
  valueRow,
  outputBatch,
  outputHead,
  outputRow,
  blocksBatch,
  blocksHead,
  blocksRow,
  blocksColumn, // 0 or 1
  slopesBatch,
  logSumExpBatch,
  logSumExpHead,

  // attend: what to compute
  scale, // float32
  softcap, // float32, 0 for none
  left, // keys a query sees before its position, UNLIMITED for all
  right, // and after it
  blockSize, // queries and keys of a block, 0 for no block mask
  maskCount,
  distance, // AlibiDistance
  weightsKind, // WeightsKind
  scoresKind, // ScoresKind
  modified, // 1: scores pass through JavaScript
  endToEnd, // 1: sequences lie end to end, a result has no rows past them
  dropped, // uint32: weights whose number lies below it are dropped, 0 for none
  keptFactor, // float32, on those that are not
  seedLow,
  seedHigh,

  // linear: y [rows × columns] = x [rows × depth] · W + bias
  input, // address of x
  packed, // address of W as packLinear leaves it
  result, // address of y
  rows,
  depth,
  columns,

  // packLinear, besides packed, depth and columns
  weight, // address of W
  bias, // address, 0 for none
  outputIsRow, // 1: W is stored [columns × depth], 0: [depth × columns]

  // linearBackward, besides
  inputTurned, // 1: x is stored [depth × rows]

  // mergeStates, besides batch, heads, queries, valueSize, output, logSumExp and their strides
  parts, // address of uint32 [partCount][2]: output and logSumExp of each
  partCount,

  // rotate: result ← input by strides query… and output…, besides batch, heads, queries, headSize
  positions, // int32 [axes][batch][queries], −1 for pairs that stay as they are
  axes, // uint8 [pairs]: which of the positions a pair follows
  cosines, // [positions, pairs], 0 where frequencies are given
  sines,
  frequencies, // [pairs], radians a position
  angles, // scratch [2][pairs]
  pairs,
  interleaved, // 1: a pair is (2i, 2i + 1), 0: (i, i + pairs)
  factor, // float32, on cosines and sines

  // attend: MOST_MASKS records of MaskField.count slots, maskCount of which count
  masks,

  count = masks + 64,
}

/** Masks of one call. */
export const MOST_MASKS = 8;

/** A mask. It is applied after those before it in the frame. */
export enum MaskField {
  data, // address
  gradient, // address, as data; 0 for none
  batch, // strides
  head,
  row,
  column, // 0 or 1
  kind, // MaskKind
  columns, // keys that the mask covers; those past them are left out
  count,
}

/** One batch: its sizes, and where it starts among the rows of the tensors. */
export enum Sequence {
  queries,
  keys,
  position, // of the first query among the keys
  queryStart,
  keyStart,
  count,
}

export enum MaskKind {
  boolean, // uint8, 0 is left out
  additive, // float32, −Infinity is left out
}

/** A window without an end. */
export const UNLIMITED = 0x7fffffff;

export enum AlibiDistance {
  none,
  absolute, // −|position − key|
  signed, // key − position
  key, // key
}

export enum ScoresKind {
  none,
  raw, // scaled
  capped, // after the soft cap
  biased, // after bias and mask
}

export enum WeightsKind {
  none,
  perHead, // [batch, heads, queries, keys]
  mean, // [batch, queries, keys], the mean over heads
}
