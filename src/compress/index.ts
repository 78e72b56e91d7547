// wasm-attention/compress: models made smaller, by few bits, fewer heads or factors of low rank.

export { type FactorizeOptions, type Factors, factorize } from "./factorize";
export { type PrunedHeads, pruneHeads } from "./heads";
export { type HeadImportanceOptions, headImportance } from "./importance";
export { lowRankLinear, lowRankLinearAsync } from "./low-rank";
export { type QuantizeLayerOptions, quantizeLayer } from "./quantize";
