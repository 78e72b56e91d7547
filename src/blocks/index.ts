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
export {
  type EmbeddingBackwardOptions,
  type EmbeddingOptions,
  embedding,
  embeddingAsync,
  embeddingBackward,
  embeddingBackwardAsync,
} from "./embedding";
export { blocks } from "./extension";
export { type FusedLinearOptions, fusedLinear, fusedLinearAsync } from "./fused";
export type { Ids } from "./ids";
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
