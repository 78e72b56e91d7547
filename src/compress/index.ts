// wasm-attention/compress: models made smaller, by few bits, fewer heads or factors of low rank.

export { type FactorizeOptions, type Factors, factorize } from "./factorize";
export { headImportance, pruneHeads } from "./heads";
export { lowRankLinear, lowRankLinearAsync } from "./low-rank";
export { type QuantizeLayerOptions, quantizeLayer } from "./quantize";
