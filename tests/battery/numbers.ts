// Inputs of the battery: integers and their quotients by powers of two, which every engine gives
// alike; nothing of Math whose last bit an engine may choose.

import type { Tensor } from "wasm-attention";

/** Whole numbers from 0 to 2²⁴ − 1, by xorshift32 (Marsaglia 2003). */
export function integers(seed: number): () => number {
  let state = seed | 0 || 1;
  const next = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 8;
  };
  // Small seeds begin alike.
  for (let i = 0; i < 8; i++) next();
  return next;
}

/** Uniform in [−amplitude, amplitude); exact in float32 where the amplitude is a power of two. */
export function floats(length: number, seed: number, amplitude = 1): Float32Array {
  const next = integers(seed);
  const data = new Float32Array(length);
  for (let i = 0; i < length; i++) data[i] = (next() / 2 ** 23 - 1) * amplitude;
  return data;
}

/** 1 in three of four places, else 0. */
export function flags(length: number, seed: number): Uint8Array {
  const next = integers(seed);
  return Uint8Array.from({ length }, () => (next() % 4 ? 1 : 0));
}

export function filled(dims: readonly number[], seed: number, amplitude = 1): Tensor {
  return { data: floats(elements(dims), seed, amplitude), dims };
}

export function elements(dims: readonly number[]): number {
  return dims.reduce((product, size) => product * size, 1);
}
