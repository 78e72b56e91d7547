// ggml's blocks of 32 numbers with one scale (ggml-org/ggml, src/ggml-quants.c, dequantize_row_…).

import { blocks, half, nibbles, STEPS, type Unpack } from "./block";
import type { NumberType } from "./file";

/** E2M1: a sign, two bits of exponent, one of mantissa; doubled. */
const E2M1 = [0, 1, 2, 3, 4, 6, 8, 12];

/** The fifth bits of 32 numbers, number j's at bit j. */
const fifth = (bytes: Uint8Array, at: number, j: number) =>
  (((bytes[at + (j >> 3)] as number) >> (j & 7)) & 1) << 4;

const q4_0: Unpack = (bytes, at, out, to) => {
  const d = half(bytes, at);
  nibbles(bytes, at + 2, [out, to], (q) => (q - 8) * d);
};

const q4_1: Unpack = (bytes, at, out, to) => {
  const [d, m] = [half(bytes, at), half(bytes, at + 2)];
  nibbles(bytes, at + 4, [out, to], (q) => q * d + m);
};

const q5_0: Unpack = (bytes, at, out, to) => {
  const d = half(bytes, at);
  nibbles(bytes, at + 6, [out, to], (q, j) => ((q | fifth(bytes, at + 2, j)) - 16) * d);
};

const q5_1: Unpack = (bytes, at, out, to) => {
  const [d, m] = [half(bytes, at), half(bytes, at + 2)];
  nibbles(bytes, at + 8, [out, to], (q, j) => (q | fifth(bytes, at + 4, j)) * d + m);
};

const q8_0: Unpack = (bytes, at, out, to) => {
  const d = half(bytes, at);
  for (let j = 0; j < 32; j++) out[to + j] = (((bytes[at + 2 + j] as number) << 24) >> 24) * d;
};

const iq4_nl: Unpack = (bytes, at, out, to) => {
  const d = half(bytes, at);
  nibbles(bytes, at + 2, [out, to], (q) => (STEPS[q] as number) * d);
};

const mxfp4: Unpack = (bytes, at, out, to) => {
  const d = 2 ** ((bytes[at] as number) - 128);
  nibbles(bytes, at + 1, [out, to], (q) => (E2M1[q & 7] as number) * (q & 8 ? -d : d));
};

/** By ggml's number of the type. */
export const blocksOf32: readonly (readonly [number, NumberType])[] = [
  [2, blocks("Q4_0", 32, 18, q4_0)],
  [3, blocks("Q4_1", 32, 20, q4_1)],
  [6, blocks("Q5_0", 32, 22, q5_0)],
  [7, blocks("Q5_1", 32, 24, q5_1)],
  [8, blocks("Q8_0", 32, 34, q8_0)],
  [20, blocks("IQ4_NL", 32, 18, iq4_nl)],
  [39, blocks("MXFP4", 32, 17, mxfp4)],
];
