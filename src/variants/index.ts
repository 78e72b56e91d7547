// wasm-attention/variants: other kinds of attention than the softmax of scaled products.

export {
  type CausalConvOptions,
  type CausalConvResult,
  causalConv,
  causalConvAsync,
} from "./causal-conv";
export { variants } from "./extension";
export {
  type LinearAttentionOptions,
  type LinearAttentionResult,
  linearAttention,
  linearAttentionAsync,
} from "./linear-attention";
export {
  type LinearAttentionGradients,
  type LinearAttentionPass,
  type LinearBackwardOptions,
  linearAttentionBackward,
  linearAttentionBackwardAsync,
} from "./linear-backward";
export type { LinearRuleOptions, UpdateRule } from "./linear-sizes";
