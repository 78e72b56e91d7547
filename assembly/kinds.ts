// The kinds that frames speak of, compiled into both sides.

/** A window without an end. */
export const UNLIMITED = 0x7fffffff;

/** Keys of a tile, see tiles.ts. */
export const TILE_KEYS = 128;

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

/** The operations of each module, by number: see core.ts, training.ts, positions.ts, cache.ts, blocks.ts, variants.ts. */
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
