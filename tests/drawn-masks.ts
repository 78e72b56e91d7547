// Drawn masks whose sums are exact.

import { random } from "./engines";

export type Plain = { data: Float32Array | Uint8Array; dims: number[] };

/** Whole numbers, so that no sum of them rounds, and some −∞. */
export function additive(seed: number, ...dims: number[]): Plain {
  const next = random(seed);
  const data = new Float32Array(dims.reduce((a, b) => a * b, 1)).map(() => {
    const x = next();
    return x < -0.8 ? -Infinity : Math.round(x * 4);
  });
  return { data, dims };
}

export function boolean(seed: number, ...dims: number[]): Plain {
  const { data } = additive(seed, ...dims);
  return { data: Uint8Array.from(data, (x) => (x < -2 ? 0 : 1)), dims };
}
