// wasm-attention/positions: rotary embeddings, tables and biases of positions.

export { positions } from "./extension";
export {
  type FrequencyOptions,
  type RopeFrequencies,
  type RopeScaling,
  ropeFrequencies,
} from "./frequencies";
export { type RelativeOptions, relativeBias } from "./relative";
export { type RotateOptions, rotate } from "./rotary";
export {
  alibiSlopes,
  type RelativeBiasOptions,
  relativePositionBias,
  type SinusoidalOptions,
  sinusoidalPositions,
} from "./tables";
