// The calls of the blocks module. Fields as in attend/frame.ts; an address of 0 is a tensor that was not
// given or is not wanted.

import { LinearFrame } from "../linear/frame";


@unmanaged
export class BlockFrame {
  threads: i32 = 0;
  scratch: usize = 0;
  rows: i32 = 0;
  columns: i32 = 0;
  input: usize = 0;
  result: usize = 0;
  /** Backward: of the result. */
  outputGradient: usize = 0;
}

/** Normalisation of each row [columns] of input + residual, forward and backward. */
@unmanaged
export class NormFrame extends BlockFrame {
  residual: usize = 0;
  /** [columns] */
  weight: usize = 0;
  bias: usize = 0;
  /** input + residual, where there is one. */
  sum: usize = 0;
  /** [rows] */
  means: usize = 0;
  inverseDeviations: usize = 0;
  /** 1: layer normalisation, 0: by the root of the mean square. */
  centred: i32 = 0;
  epsilon: f32 = 0;
  /** Backward: what reaches the sum besides by its normalisation. */
  sumGradient: usize = 0;
  /** 1: gradients of weight or bias are wanted. */
  summed: i32 = 0;
  weightGradient: usize = 0;
  biasGradient: usize = 0;
}

/** Softmax over the middle axis of [rows, columns, inner]. */
@unmanaged
export class SoftmaxFrame extends BlockFrame {
  inner: i32 = 0;
  /** 1: its logarithm. */
  logarithmic: i32 = 0;
}

/** An activation of each of `columns` elements, see ActivationKind. */
@unmanaged
export class ActivateFrame extends BlockFrame {
  activation: i32 = 0;
  /** What the activation is of, instead of the input that it then multiplies. */
  gate: usize = 0;
  gateGradient: usize = 0;
  /** Added at the end of a forward pass. */
  residual: usize = 0;
}

/** Rows [columns] of a table [count, columns] by their number. */
@unmanaged
export class EmbeddingFrame extends BlockFrame {
  count: i32 = 0;
  /** int32 [rows] */
  ids: usize = 0;
  scale: f32 = 0;
  /** Whose gradient is left out; −1 for none. */
  padding: i32 = 0;
}

/** Cross-entropy of each row of logits [columns]; the result is the gradient of the logits. */
@unmanaged
export class LossFrame extends BlockFrame {
  /** int32 [rows] */
  targets: usize = 0;
  ignored: i32 = 0;
  smoothing: f32 = 0;
  /** [rows] */
  losses: usize = 0;
  /** Of each row's loss [rows], or of all: what the gradient is multiplied by. */
  lossGradients: usize = 0;
  lossGradient: f32 = 0;
}

/** linear, and what follows it: activation(x·W + b), times (x·V + c), plus a residual. */
@unmanaged
export class FusedFrame extends LinearFrame {
  activation: i32 = 0;
  /** W where it gates, packed; `packed` is then V. */
  gate: usize = 0;
  /** x·W + b [rows × columns]. */
  gateResult: usize = 0;
  residual: usize = 0;
}

/** Dropout of each of `columns` elements. */
@unmanaged
export class DropoutFrame extends BlockFrame {
  /** Added at the end. */
  residual: usize = 0;
  /** Elements whose number lies below it, of 2³². */
  dropped: u32 = 0;
  /** 1/(1 − p) */
  factor: f32 = 0;
  seedLow: u32 = 0;
  seedHigh: u32 = 0;
  /** Other numbers under the same seed. */
  stream: i32 = 0;
}
