// The entry `wasm-attention/weights`: the files that weights come in, and layers of weights by the names that
// other libraries give them.

export type { KerasWeights, PyTorchWeights } from "../layer/projections";
export type { Metadata, SliceRange, WeightEntry, WeightFile } from "./file";
export { readGguf } from "./gguf";
export { fromKeras, fromPacked, fromPyTorch, type Prefixed } from "./libraries";
export type { StateDict } from "./named-weights";
export type { PackedOrder } from "./packed";
export { pick } from "./pick";
export { readSafetensors, type SafetensorsOptions } from "./safetensors";
export type { ByteSource, ReadOptions, WeightSource } from "./source";
