// wasm-attention/variants: other kinds of attention than the softmax of scaled products.

export type { Normalizer } from "../attend/strategy";
export type { ScoreGradientTile, WeightGradientTile, WeightTile } from "../training/modified";
export { type AdditiveOptions, additiveAttention, additiveAttentionAsync } from "./additive";
export {
  AdditiveAttention,
  type AdditiveInputs,
  type AdditiveLayerOptions,
} from "./additive-layer";
export {
  type AdditiveLayerBackwardOptions,
  type AdditiveLayerGradients,
  type AdditiveLayerPass,
  additiveLayerBackward,
  additiveLayerBackwardAsync,
  type ProjectionGradient,
} from "./additive-layer-backward";
export {
  type CausalConvForm,
  type CausalConvOptions,
  type CausalConvResult,
  causalConv,
  causalConvAsync,
} from "./causal-conv";
export {
  type CausalConvBackwardOptions,
  type CausalConvGradients,
  type CausalConvPass,
  causalConvBackward,
  causalConvBackwardAsync,
} from "./causal-conv-backward";
export {
  type EntmaxGradients,
  type EntmaxOptions,
  entmax,
  entmaxAsync,
  entmaxBackward,
  entmaxBackwardAsync,
} from "./entmax";
export { variants } from "./extension";
export { attendLatent, attendLatentAsync, type LatentOptions } from "./latent";
export type { AdditiveUpdate, AdditiveWeights, ProjectionUpdate } from "./layer-weights";
export {
  type LinearAttentionOptions,
  type LinearAttentionResult,
  linearAttention,
  linearAttentionAsync,
} from "./linear-attention";
export {
  type LinearAttentionBackwardOptions,
  type LinearAttentionGradients,
  type LinearAttentionPass,
  linearAttentionBackward,
  linearAttentionBackwardAsync,
} from "./linear-backward";
export type { LinearRuleOptions, UpdateRule } from "./linear-sizes";
export {
  type LocationOptions,
  type LocationResult,
  type LocationState,
  locationSensitiveAttention,
  locationSensitiveAttentionAsync,
} from "./location";
export {
  type LocationBackwardOptions,
  type LocationGradients,
  type LocationPass,
  locationSensitiveAttentionBackward,
  locationSensitiveAttentionBackwardAsync,
} from "./location-backward";
export {
  type LocationMemory,
  LocationSensitiveAttention,
  type LocationStepOptions,
  type LocationWeights,
  type Tacotron2Weights,
} from "./location-layer";
export {
  type LocationLayerBackwardOptions,
  type LocationLayerGradients,
  type LocationLayerPass,
  locationLayerBackward,
  locationLayerBackwardAsync,
} from "./location-layer-backward";
export {
  type LocationMemoryGradients,
  type LocationMemoryPass,
  locationMemoryBackward,
  locationMemoryBackwardAsync,
} from "./location-memory-backward";
export {
  type MonotonicBackwardOptions,
  type MonotonicForm,
  type MonotonicGradients,
  type MonotonicOptions,
  type MonotonicPass,
  monotonicAttention,
  monotonicAttentionAsync,
  monotonicBackward,
  monotonicBackwardAsync,
} from "./monotonic";
export {
  MonotonicAttention,
  type MonotonicLayerOptions,
  type MonotonicResult,
  type MonotonicWeights,
} from "./monotonic-layer";
export {
  type MonotonicLayerBackwardOptions,
  type MonotonicLayerGradients,
  type MonotonicLayerPass,
  monotonicLayerBackward,
  monotonicLayerBackwardAsync,
} from "./monotonic-layer-backward";
export {
  alphaEntmax,
  alphaNormmax,
  budget,
  entmax15,
  type ModifiedWeights,
  modifiedWeights,
  sparsemax,
} from "./normalizer";
export { type SpanOptions, spanAttend, spanAttendAsync } from "./span";
export { type SparseAttendOptions, sparseAttend, sparseAttendAsync } from "./sparse-attend";
export type { StripOptions } from "./strip";
export {
  additiveAttentionBackward,
  additiveAttentionBackwardAsync,
  spanAttendBackward,
  spanAttendBackwardAsync,
  sparseAttendBackward,
  sparseAttendBackwardAsync,
} from "./strip-backward";
export type {
  AdditiveBackwardOptions,
  AdditiveGradients,
  SpanBackwardOptions,
  SpanGradients,
  SparseBackwardOptions,
  SparseGradients,
  VariantPass,
  VariantTargets,
} from "./strip-gradients";
export {
  type WeightedSumGradients,
  type WeightedSumOptions,
  weightedSum,
  weightedSumAsync,
  weightedSumBackward,
  weightedSumBackwardAsync,
} from "./weighted-sum";
