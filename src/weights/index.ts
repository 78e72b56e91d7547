// The entry `wasm-attention/weights`: the files that weights come in.

export type { Metadata, WeightEntry, WeightFile } from "./file";
export { readGguf } from "./gguf";
export { pick } from "./pick";
export { readSafetensors, type ShardOptions } from "./safetensors";
export type { ByteSource, ReadOptions, WeightSource } from "./source";
