// wasm-attention/integers: attention past what float32 can do on SIMD of 128 bits.

export type { Precision } from "../attend/strategy";
export { type PrecisionError, precisionError } from "./error";
export { integers } from "./extension";
export { type Int8Lowering, int8Lowering } from "./lowering";
export { int8, int16 } from "./precision";
