// wasm-attention/tfjs: attention for TensorFlow.js, on its cpu and wasm backends.

export { fromKeras } from "./keras";
export { AdditiveAttention, Attention } from "./keras-attention";
export type {
  AdditiveAttentionArgs,
  AttentionArgs,
  KerasAdditiveArguments,
  KerasAttentionArguments,
} from "./keras-attention-config";
export { MultiHeadAttention } from "./layer";
export type { KerasArguments, MultiHeadAttentionArgs } from "./layer-config";
export { linear } from "./linear";
export { registerAttention } from "./register";
export { type ScaledDotProductOptions, scaledDotProductAttention } from "./scaled-dot-product";
