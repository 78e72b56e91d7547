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
export { type LayerConfig, type LayerResult, MultiHeadAttention } from "./multihead";
export type {
  Alibi,
  AttendOptions,
  AttendResult,
  BlockMask,
  Layout,
  Mask,
  ScoreOptions,
  ScoreTile,
} from "./options";
export type {
  KerasWeights,
  LayerWeights,
  PlainWeights,
  Projection,
  PyTorchWeights,
} from "./projections";
export { type AllocatedTensor, type Tensor, tensor } from "./tensor";
