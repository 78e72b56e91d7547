// Every entry of the package under test, in one namespace.

import type { Attention } from "wasm-attention";

export * from "wasm-attention";
export * from "wasm-attention/blocks";
export * from "wasm-attention/cache";
export * from "wasm-attention/integers";
export * from "wasm-attention/positions";
export * from "wasm-attention/quantized";
export * from "wasm-attention/shards";
export * from "wasm-attention/training";
export * from "wasm-attention/variants";
export * from "wasm-attention/weights";

export type Package = typeof import("./package");
export type Whole = Attention<
  "blocks" | "cache" | "positions" | "training" | "variants" | "quantized" | "integers"
>;
