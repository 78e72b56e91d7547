// The form of Moonshine tiny, and its projections by their names in the files.

import { tensor } from "wasm-attention";
import type { Weights } from "./weights";

export const SIZE = 288;
export const LAYERS = 6;
export const HEADS = 8;
export const HEAD_SIZE = SIZE / HEADS;
export const EPSILON = 1e-5;
/** Of 36 numbers of a head 32 turn, in pairs of neighbours. */
export const ROTARY = { pairing: "interleaved", dimensions: 32, base: 10000 } as const;

/**
 * [layer, head] whose looks move along with the words: of all 48 the five whose peaks are most nearly a line over
 * the tokens, r = 0.984 to 0.992 on the recordings of speech-read.
 */
export const FOLLOWING = [
  [3, 5],
  [4, 6],
  [4, 7],
  [3, 0],
  [4, 3],
] as const;

/** x · W + b, columns [from, to) of them, all by default. */
export function projection(weights: Weights, name: string, columns?: readonly [number, number]) {
  const stored = weights.get(`${name}.MatMul`);
  const [rows, all] = stored.dims;
  const [from, to] = columns ?? [0, all];
  const whole = stored.floats();
  const weight = new Float32Array(rows * (to - from));
  for (let row = 0; row < rows; row++)
    weight.set(whole.subarray(row * all + from, row * all + to), row * (to - from));
  const bias = weights.has(`${name}.bias`)
    ? weights.get(`${name}.bias`).floats().slice(from, to)
    : undefined;
  return { weight: tensor(weight, [rows, to - from]), order: "in,out", bias } as const;
}

export function selfAttention(weights: Weights, name: string) {
  return {
    query: projection(weights, `${name}.q_proj`),
    key: projection(weights, `${name}.k_proj`),
    value: projection(weights, `${name}.v_proj`),
    output: projection(weights, `${name}.dense`),
  };
}
