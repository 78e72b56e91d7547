// Public names only.

export { Attention, type AttentionOptions, createAttention, type MemoryFigures } from "./attention";
export type { Variant } from "./engine/detect";
export {
  ArgumentError,
  AttentionError,
  DisposedError,
  MemoryError,
  UnsupportedError,
} from "./errors";
export type { LinearOptions, PreparedLinear, PrepareOptions } from "./linear";
export {
  type KerasWeights,
  type LayerConfig,
  type LayerOptions,
  type LayerResult,
  type LayerWeights,
  MultiHeadAttention,
  type PlainWeights,
  type Projection,
  type PyTorchWeights,
} from "./multihead";
export type { AttendOptions, AttendResult, Layout, Mask, ScoreOptions } from "./options";
export { type AllocatedTensor, type Tensor, tensor } from "./tensor";
