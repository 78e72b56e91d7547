// Public names only.

export type { AllocatedTensor } from "./allocated";
export type { AppendedConfig, BiasKeyValue } from "./appended";
export { Attention } from "./attention";
export type {
  AttendGradients,
  AttendState,
  BackwardOptions,
  BackwardScoreOptions,
  GradientOptions,
} from "./backward";
export { type AttentionOptions, createAttention } from "./create";
export type { MemoryFigures } from "./engine/arena";
export type { Variant } from "./engine/detect";
export {
  ArgumentError,
  AttentionError,
  DisposedError,
  MemoryError,
  UnsupportedError,
} from "./errors";
export type { FrequencyOptions, RopeFrequencies, RopeScaling } from "./frequencies";
export { fromBfloat16, fromFloat16, toFloat16 } from "./halffloat";
export type { LayerUpdate } from "./layer-shapes";
export type { LinearOptions, PreparedLinear, PrepareOptions } from "./linear";
export type { LinearBackwardOptions, LinearGradients } from "./linear-backward";
export type { AttentionState, MergeOptions } from "./merge";
export {
  type LayerConfig,
  type LayerOptions,
  type LayerResult,
  MultiHeadAttention,
} from "./multihead";
export type {
  LayerBackwardOptions,
  LayerGradients,
  LayerRecord,
  ProjectionGradients,
} from "./multihead-backward";
export type {
  Alibi,
  AttendOptions,
  AttendResult,
  BlockMask,
  Dropout,
  Later,
  Layout,
  Mask,
  MaskData,
  ScoreOptions,
  ScoreTile,
} from "./options";
export type { PackedBackwardOptions, PackedOptions } from "./packed";
export {
  alibiSlopes,
  type RelativeBiasOptions,
  relativePositionBias,
  type SinusoidalOptions,
} from "./positions";
export type {
  KerasWeights,
  LayerWeights,
  PlainWeights,
  Projection,
  PyTorchWeights,
} from "./projections";
export type { RotateOptions } from "./rotary";
export type { StateDict } from "./state-dict";
export { type Tensor, tensor } from "./tensor";
