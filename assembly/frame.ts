// The call frame: one block of 32-bit slots in linear memory through which JavaScript
// hands a call to a kernel. This file is compiled into both sides, so its layout is
// written once. Pointers are byte addresses, strides are in elements, tensors are
// float32 unless said; the caller has checked every size.

export enum Slot {
  // attend: addresses
  query,
  key,
  value,
  output,
  mask,
  logSumExp,
  weights,
  batches, // int32 [batch][3]: queries, keys and the first query's position of each
  scratch,

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
  maskBatch,
  maskHead,
  maskRow,
  maskColumn, // 0 or 1

  // attend: what to compute
  scale, // float32
  causal, // 1: key j is visible to query i where j ≤ position of query i
  maskKind, // MaskKind
  weightsKind, // WeightsKind

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

  count,
}

export enum MaskKind {
  none,
  boolean, // uint8, 0 is left out
  additive, // float32, −Infinity is left out
}

export enum WeightsKind {
  none,
  perHead, // [batch, heads, queries, keys]
  mean, // [batch, queries, keys], the mean over heads
}
