// The calls of the variants module. Fields as in attend/frame.ts; an address of 0 is a tensor that was not
// given or is not wanted.

import { BackwardFrame } from "../backward/frame";

/** Linear attention, forward and backward: see recurrence.ts and linear-attention.ts. */
@unmanaged
export class LinearAttentionFrame {
  threads: i32 = 0;
  scratch: usize = 0;

  query: usize = 0;
  key: usize = 0;
  value: usize = 0;
  /** ln of what the state is multiplied by before each key, [..., 1 | D]. */
  decay: usize = 0;
  /** [..., 1] */
  beta: usize = 0;
  /** [batch, valueHeads, headSize, valueSize + normalised] */
  state: usize = 0;
  /** int32 [batch] */
  keyLengths: usize = 0;
  output: usize = 0;
  finalState: usize = 0;

  batch: i32 = 0;
  /** Of the output: as many as the queries or the values have, whichever are more. */
  heads: i32 = 0;
  queryHeads: i32 = 0;
  keyHeads: i32 = 0;
  valueHeads: i32 = 0;
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
  decayBatch: usize = 0;
  decayHead: usize = 0;
  decayRow: usize = 0;
  betaBatch: usize = 0;
  betaHead: usize = 0;
  betaRow: usize = 0;
  outputBatch: usize = 0;
  outputHead: usize = 0;
  outputRow: usize = 0;

  scale: f32 = 0;
  epsilon: f32 = 0;
  /** 1: of queries and keys, elu + 1. */
  featureMap: i32 = 0;
  /** 1: divided by the sum of the weights. */
  normalised: i32 = 0;
  /** 1: v − Sᵀk is added instead of v. */
  delta: i32 = 0;
  causal: i32 = 0;
  /** 1 or headSize, 0 where it is not gated. */
  decaySize: i32 = 0;

  /** 1: gradients are computed. */
  backward: i32 = 0;
  outputGradient: usize = 0;
  finalStateGradient: usize = 0;
  queryGradient: usize = 0;
  keyGradient: usize = 0;
  valueGradient: usize = 0;
  decayGradient: usize = 0;
  betaGradient: usize = 0;
  stateGradient: usize = 0;
}

/** A convolution of each row over those before it: see causal-conv.ts. */
@unmanaged
export class CausalConvFrame {
  threads: i32 = 0;
  scratch: usize = 0;
  batch: i32 = 0;
  channels: i32 = 0;
  length: i32 = 0;
  kernelSize: i32 = 0;
  /** 1: x · σ(x) of the result. */
  silu: i32 = 0;
  /** [batch, channels, length] */
  input: usize = 0;
  /** [channels, kernelSize] */
  weight: usize = 0;
  /** [channels] */
  bias: usize = 0;
  /** [batch, channels, kernelSize − 1] */
  state: usize = 0;
  output: usize = 0;
  finalState: usize = 0;

  outputGradient: usize = 0;
  finalStateGradient: usize = 0;
  inputGradient: usize = 0;
  weightGradient: usize = 0;
  biasGradient: usize = 0;
  stateGradient: usize = 0;
}

/** attend with other scores or another normaliser, and its gradients. */
@unmanaged
export class VariantAttendFrame extends BackwardFrame {
  /** 1: gradients are computed. */
  backward: i32 = 0;
  /** 1: scores are additive. */
  additive: i32 = 0;
  /** SparseKind, of each head with its own α or budget [heads]. */
  sparse: i32 = 0;
  alphas: usize = 0;
  /** Backward, 1: the gradient that is given of the weights is that of the scores. */
  scored: i32 = 0;
  /** 1: weights pass through JavaScript. */
  weighed: i32 = 0;
  /** 1: each head sees keys up to its span [heads], and a ramp of so many behind. */
  spanned: i32 = 0;
  ramp: f32 = 0;
  spans: usize = 0;
  /** [batch, heads] */
  spansGradient: usize = 0;
  /** [batch, heads] */
  alphasGradient: usize = 0;
  /** Additive: v and b [D], or of each head. */
  scoreWeight: usize = 0;
  scoreBias: usize = 0;
  /** Elements between those of two heads. */
  scoreHead: usize = 0;
  /** 1: there is a bias. */
  biased: i32 = 0;
  scoreWeightGradient: usize = 0;
  scoreBiasGradient: usize = 0;
}

/** entmax, or another SparseKind, over the middle axis of [rows, columns, inner]. */
@unmanaged
export class EntmaxFrame {
  threads: i32 = 0;
  scratch: usize = 0;
  rows: i32 = 0;
  columns: i32 = 0;
  inner: i32 = 0;
  kind: i32 = 0;
  /** Or the budget. */
  alpha: f32 = 0;
  /** Backward: [rows · inner] */
  alphasGradient: usize = 0;
  /** Backward the result of the forward pass. */
  input: usize = 0;
  outputGradient: usize = 0;
  result: usize = 0;
}

/** What location-sensitive attention adds to the keys. */
@unmanaged
export class LocateFrame {
  threads: i32 = 0;
  scratch: usize = 0;
  batch: i32 = 0;
  keys: i32 = 0;
  size: i32 = 0;
  filterCount: i32 = 0;
  filterSize: i32 = 0;
  /** [batch, keys, size] */
  key: usize = 0;
  /** [filterCount, 2, filterSize] */
  filters: usize = 0;
  /** [filterCount, size] */
  weight: usize = 0;
  /** [batch, keys] */
  previous: usize = 0;
  cumulative: usize = 0;
  result: usize = 0;

  resultGradient: usize = 0;
  filtersGradient: usize = 0;
  weightGradient: usize = 0;
  previousGradient: usize = 0;
  cumulativeGradient: usize = 0;
}

/** Monotonic alignments of rows [steps, keys], one step after another. */
@unmanaged
export class MonotonicFrame {
  threads: i32 = 0;
  scratch: usize = 0;
  rows: i32 = 0;
  steps: i32 = 0;
  keys: i32 = 0;
  /** 1: the first key that is chosen, with all of the weight. */
  hard: i32 = 0;
  /** 1: numbers whose sigmoid is the probability. */
  logits: i32 = 0;
  /** [rows, steps, keys] */
  probabilities: usize = 0;
  /** [rows, keys]; 0: all at the first key. */
  previous: usize = 0;
  /** int32 [rows] */
  keyLengths: usize = 0;
  /** As the probabilities; backward they are read. */
  alignment: usize = 0;
  alignmentGradient: usize = 0;
  probabilitiesGradient: usize = 0;
  previousGradient: usize = 0;
}

/** weights [batch, rows, keys] · values [batch, keys, size]. */
@unmanaged
export class WeightedSumFrame {
  threads: i32 = 0;
  scratch: usize = 0;
  batch: i32 = 0;
  rows: i32 = 0;
  keys: i32 = 0;
  size: i32 = 0;
  weights: usize = 0;
  value: usize = 0;
  output: usize = 0;
  outputGradient: usize = 0;
  weightsGradient: usize = 0;
  valueGradient: usize = 0;
}
