// The kinds that frames speak of, compiled into both sides.

/** A window without an end. */
export const UNLIMITED = 0x7fffffff;

/** Keys of a tile, see tiles.ts. */
export const TILE_KEYS = 128;

/** Depth of a packed weight that lies together, see linear/pack.ts. */
export const PACKED_DEPTH = 256;

/** Keys of a span, see tiles.ts. */
export const SPAN_KEYS = 4096;

/** Masks of one call. */
export const MOST_MASKS = 8;

export enum MaskKind {
  boolean, // uint8, 0 is left out
  additive, // float32, −Infinity is left out
}

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

/** The operations of each module, by number: see core.ts and the entries of the others. */
export enum CoreKernel {
  attend,
  linear,
  packLinear,
  mergeStates,
  mergeSpans,
}

export enum TrainingKernel {
  backward,
  transposePacked,
  sumRows,
}

export enum PositionsKernel {
  rotate,
}

export enum CacheKernel {
  append,
  read,
  attend,
  mergeSpans,
}

export enum BlocksKernel {
  norm,
  normBackward,
  softmax,
  softmaxBackward,
  activate,
  activateBackward,
  embedding,
  embeddingBackward,
  crossEntropy,
  dropout,
  fusedLinear,
}

export enum IntegersKernel {
  int16,
  int8,
}

export enum QuantizedKernel {
  linear,
  pack,
  unpack,
}

/** How the numbers of a weight are kept, see quantized/panel.ts. */
export enum WeightNumbers {
  int8,
  int4,
  int8Fours,
  int4Fours,
  float16,
  bfloat16,
}

/** How integers are multiplied, see quantized/kernel.ts and fours.ts. */
export enum IntegerProduct {
  words, // 16 bits, as numbers in pairs are
  bytes, // four products of bytes at a time, as numbers in fours are
  bytePairs, // the same by way of sums of two
}

/** What is added to a number besides: number · scale, that + offset, or (number + offset) · scale. */
export enum OffsetKind {
  none,
  behind,
  before,
}

/** What a weight is given as, see quantized/formats.ts. */
export enum WeightFormat {
  float32,
  bits, // MatMulNBits
  q8_0,
  q4_0,
  q4_1,
  q5_0,
  q5_1,
  q2_K,
  q3_K,
  q4_K,
  q5_K,
  q6_K,
  integers,
  halves,
}

export enum VariantsKernel {
  linearAttention,
  linearBackward,
  causalConv,
  stripAttend,
  stripBackward,
  entmax,
  entmaxBackward,
  locate,
  monotonic,
  monotonicBackward,
  weightedSum,
  weightedSumBackward,
  causalConvBackward,
  locateBackward,
}

/** What makes weights that are exactly 0, see variants/sparse.ts. */
export enum SparseKind {
  none,
  entmax,
  normmax,
  budget,
}

/** See blocks/activation.ts. */
export enum ActivationKind {
  none,
  relu,
  gelu,
  geluTanh,
  silu,
}

/** How the numbers of a cache are stored, see cache/numbers.ts. */
export enum NumbersKind {
  float32,
  int16,
  int8,
  int4,
}
