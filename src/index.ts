// wasm-attention: public names only.

export type { Attention } from "./attend/attention";
export { type MergeOptions, mergeStates } from "./attend/merge";
export type {
  Abortable,
  Alibi,
  AttendOptions,
  AttendResult,
  AttendState,
  BlockMask,
  Dropout,
  Exactly,
  Layout,
  Mask,
  MaskData,
  RelativeBias,
  Returned,
  ScoreOptions,
  ScoreTile,
} from "./attend/options";
export { attendPacked, attendPackedAsync, type PackedOptions } from "./attend/packed";
export { attendQkv, attendQkvAsync, type QkvOptions } from "./attend/qkv";
export type { Normalizer, Precision } from "./attend/strategy";
export type { Rotary } from "./check/rotary";
export { type AttentionOptions, createAttention } from "./create";
export {
  ArgumentError,
  AttentionError,
  DisposedError,
  MemoryError,
  UnsupportedError,
} from "./errors";
export type { Extension } from "./extension";
export type { Variant } from "./instance/builds";
export {
  type AppendedConfig,
  type AppendedKeys,
  appendedKeys,
  type BiasKeyValue,
} from "./layer/appended";
export { MultiHeadAttention } from "./layer/multihead";
export type { LayerConfig, LayerInputs, LayerOptions, LayerResult } from "./layer/options";
export type {
  LayerProjections,
  LayerWeights,
  PlainWeights,
  Projection,
} from "./layer/projections";
export type { LayerRecord } from "./layer/record";
export type { LayerUpdate } from "./layer/sizes";
export {
  type LinearOptions,
  linear,
  linearAsync,
  type PrepareOptions,
  prepareLinear,
} from "./linear/linear";
export type { PreparedLinear } from "./linear/prepared";
export type { MemoryFigures } from "./memory/arena";
export { selfTest } from "./selftest";
export type { AllocatedTensor } from "./tensor/allocated";
export { fromBfloat16, fromFloat16, toFloat16 } from "./tensor/halffloat";
export { type Tensor, tensor } from "./tensor/tensor";
