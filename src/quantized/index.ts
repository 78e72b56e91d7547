// wasm-attention/quantized: weights of few bits for `linear` and the layer.

export { quantized } from "./extension";
export {
  dequantize,
  type PrepareQuantizedOptions,
  prepareQuantized,
} from "./prepare";
export type {
  BlockWeight,
  HalfWeight,
  IntegerWeight,
  MatMulNBitsWeight,
  StoredWeight,
} from "./stored";
