// Blocks of numbers, as ggml's types have them. Every product of a scale and an integer is exact in a double,
// and rounded once to float32.

import type { NumberType } from "./file";

/** Writes the numbers of the block at `at` of `bytes` to `out` from `to` on. */
export type Unpack = (bytes: Uint8Array, at: number, out: Float32Array, to: number) => void;

const POWERS = Float64Array.from({ length: 31 }, (_, exponent) => 2 ** (exponent - 15));

/** The float16 at `at`. */
export function half(bytes: Uint8Array, at: number): number {
  const bits = (bytes[at] as number) | ((bytes[at + 1] as number) << 8);
  const [exponent, mantissa] = [(bits >> 10) & 31, bits & 1023];
  let magnitude = mantissa * 2 ** -24;
  if (exponent === 31) magnitude = mantissa ? Number.NaN : Infinity;
  else if (exponent) magnitude = (1 + mantissa / 1024) * (POWERS[exponent] as number);
  return bits & 0x8000 ? -magnitude : magnitude;
}

export function blocks(name: string, block: number, bytes: number, unpack: Unpack): NumberType {
  const decode = (source: Uint8Array) => {
    const out = new Float32Array((source.length / bytes) * block);
    for (let at = 0, to = 0; at < source.length; at += bytes, to += block)
      unpack(source, at, out, to);
    return out;
  };
  return { name, block, bytes, decode };
}

/** 32 numbers of four bits from `from` on, number j beside number j + 16: (q, j) → x. */
export function nibbles(
  bytes: Uint8Array,
  from: number,
  [out, to]: readonly [Float32Array, number],
  value: (q: number, j: number) => number,
): void {
  for (let j = 0; j < 16; j++) {
    const pair = bytes[from + j] as number;
    out[to + j] = value(pair & 15, j);
    out[to + j + 16] = value(pair >> 4, j + 16);
  }
}

/** Non-linear steps of IQ4_NL and IQ4_XS. */
export const STEPS = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];
