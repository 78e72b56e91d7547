// wasm-attention/quantized: weights of few bits for `linear` and the layer.

export { dequantize } from "./dequantize";
export { quantized } from "./extension";
export { type PrepareQuantizedOptions, prepareQuantized } from "./prepare";
export type {
  BlockWeight,
  HalfWeight,
  IntegerWeight,
  MatMulNBitsWeight,
  StoredWeight,
} from "./stored";
