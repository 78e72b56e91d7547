// Both builds, whatever this Node enables by default.

import { readFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import {
  type Attention,
  type AttentionOptions,
  createAttention,
  type Tensor,
  tensor,
} from "wasm-attention";
import { blocks } from "wasm-attention/blocks";
import { cache } from "wasm-attention/cache";
import { integers } from "wasm-attention/integers";
import { positions } from "wasm-attention/positions";
import { quantized } from "wasm-attention/quantized";
import { training } from "wasm-attention/training";
import { variants as variantsExtension } from "wasm-attention/variants";

/** The bytes of one of the package's modules. */
export function moduleBytes(variant: Variant, name = "core"): Buffer<ArrayBuffer> {
  const url = new URL(`../dist/workerd/${name}.${variant}.wasm`, import.meta.url);
  return Buffer.from(readFileSync(url));
}

export const variants = ["portable", "relaxed"] as const;
export type Variant = (typeof variants)[number];

// Node 20 has relaxed SIMD behind a flag, newer ones without.
if (!WebAssembly.validate(moduleBytes("relaxed")))
  setFlagsFromString("--experimental-wasm-relaxed-simd");

export type Whole = Attention<
  "blocks" | "cache" | "positions" | "training" | "variants" | "quantized" | "integers"
>;

/** An engine with all extensions. */
export function createWhole(options: AttentionOptions = {}): Promise<Whole> {
  return createAttention({
    ...options,
    extensions: [positions, training, cache, blocks, variantsExtension, quantized, integers],
  });
}

/** A fresh engine on the named build, with all extensions. */
export async function engine(variant: Variant, options: AttentionOptions = {}): Promise<Whole> {
  const attention = await createWhole({ ...options, reproducible: variant === "portable" });
  if (attention.variant !== variant) throw new Error(`wanted ${variant}, got ${attention.variant}`);
  return attention;
}

/** Seeded numbers, uniform in [−1, 1). */
export function random(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    // xorshift32 (Marsaglia 2003)
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 31 - 1;
  };
}

export function randomArray(length: number, seed: number, amplitude = 1): Float32Array {
  const next = random(seed);
  const data = new Float32Array(length);
  for (let i = 0; i < length; i++) data[i] = next() * amplitude;
  return data;
}

export function randomTensor(dims: readonly number[], seed: number, amplitude = 1): Tensor {
  const elements = dims.reduce((product, size) => product * size, 1);
  return tensor(randomArray(elements, seed, amplitude), dims);
}

/** The bits of every tensor of a result, by name: NaN's too. */
export const bitsOf = (result: object) =>
  Object.entries(result).map(([name, { data }]: [string, Tensor]) => [
    name,
    Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64"),
  ]);
