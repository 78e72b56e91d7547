// wasm-attention/blocks: what stands around attention in a transformer's block.

export {
  type ActivateBackwardOptions,
  type ActivateGradients,
  type ActivateOptions,
  type Activation,
  activate,
  activateAsync,
  activateBackward,
  activateBackwardAsync,
} from "./activate";
export { TransformerDecoderLayer } from "./decoder-layer";
export { type DropoutOptions, dropout, dropoutAsync } from "./dropout";
export {
  type EmbeddingBackwardOptions,
  type EmbeddingOptions,
  embedding,
  embeddingAsync,
  embeddingBackward,
  embeddingBackwardAsync,
} from "./embedding";
export { TransformerEncoderLayer } from "./encoder-layer";
export { blocks } from "./extension";
export { type FusedLinearOptions, fusedLinear, fusedLinearAsync } from "./fused";
export type { Ids } from "./ids";
export type { TransformerLayer } from "./layer";
export { transformerBackward, transformerBackwardAsync } from "./layer-gradients";
export {
  decoderFromKeras,
  decoderFromPyTorch,
  decoderFromTransformers,
  encoderFromKeras,
  encoderFromPyTorch,
  encoderFromTransformers,
} from "./layer-libraries";
export type {
  CrossOptions,
  DecoderForwardOptions,
  DecoderLayerWeights,
  EncoderForwardOptions,
  EncoderLayerWeights,
  NormParameterGradients,
  NormWeights,
  PrefixedConfig,
  TransformerConfig,
  TransformerGradients,
  TransformerResult,
  TransformersConfig,
  TransformersModel,
  TransformerUpdate,
  TransformerWeightGradients,
} from "./layer-options";
export type { TransformerRecord } from "./layer-record";
export type { TransformerBackwardOptions, TransformerTargets } from "./layer-targets";
export {
  type CrossEntropyOptions,
  type CrossEntropyResult,
  crossEntropy,
  crossEntropyAsync,
} from "./loss";
export {
  type LayerNormOptions,
  layerNorm,
  layerNormAsync,
  type NormResult,
  type RmsNormOptions,
  rmsNorm,
  rmsNormAsync,
} from "./norm";
export {
  layerNormBackward,
  layerNormBackwardAsync,
  type NormBackwardOptions,
  type NormGradients,
  rmsNormBackward,
  rmsNormBackwardAsync,
} from "./norm-backward";
export {
  logSoftmax,
  logSoftmaxAsync,
  logSoftmaxBackward,
  logSoftmaxBackwardAsync,
  type SoftmaxOptions,
  softmax,
  softmaxAsync,
  softmaxBackward,
  softmaxBackwardAsync,
} from "./softmax";
