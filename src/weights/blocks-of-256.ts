// ggml's blocks of 256 numbers, made of smaller ones with a few bits of scale each (ggml-org/ggml,
// src/ggml-quants.c, dequantize_row_…).

import { blocks, half, STEPS, type Unpack } from "./block";
import type { NumberType } from "./file";

const at = (bytes: Uint8Array, index: number) => bytes[index] as number;
const signed = (bytes: Uint8Array, index: number) => (at(bytes, index) << 24) >> 24;

/** 16 scales and minima of four bits, 256 numbers of two, d, dmin. */
const q2K: Unpack = (bytes, from, out, to) => {
  const [d, dmin] = [half(bytes, from + 80), half(bytes, from + 82)];
  for (let j = 0; j < 256; j++) {
    const scale = at(bytes, from + (j >> 4));
    const q = (at(bytes, from + 16 + (j >> 7) * 32 + (j & 31)) >> (((j >> 5) & 3) * 2)) & 3;
    out[to + j] = d * (scale & 15) * q - dmin * (scale >> 4);
  }
};

/** 256 high bits, 256 numbers of two, 16 scales of six bits, d. */
const q3K: Unpack = (bytes, from, out, to) => {
  const d = half(bytes, from + 108);
  const scales = Array.from({ length: 16 }, (_, i) => {
    const low = at(bytes, from + 96 + (i & 7)) >> (i & 8 ? 4 : 0);
    const high = at(bytes, from + 104 + (i & 3)) >> ((i >> 2) * 2);
    return d * (((low & 15) | ((high & 3) << 4)) - 32);
  });
  for (let j = 0; j < 256; j++) {
    const low = (at(bytes, from + 32 + (j >> 7) * 32 + (j & 31)) >> (((j >> 5) & 3) * 2)) & 3;
    const high = (at(bytes, from + (j & 31)) >> (j >> 5)) & 1;
    out[to + j] = (scales[j >> 4] as number) * (low - (high ? 0 : 4));
  }
};

/** Eight scales and eight minima of six bits in twelve bytes. */
function scaleAndMinimum(bytes: Uint8Array, from: number, j: number): [number, number] {
  if (j < 4) return [at(bytes, from + j) & 63, at(bytes, from + j + 4) & 63];
  const pair = at(bytes, from + j + 4);
  return [
    (pair & 15) | ((at(bytes, from + j - 4) >> 6) << 4),
    (pair >> 4) | ((at(bytes, from + j) >> 6) << 4),
  ];
}

/** d, dmin, the scales, for Q5_K 256 fifth bits, 256 numbers of four. */
const q4K =
  (fifths: boolean): Unpack =>
  (bytes, from, out, to) => {
    const [d, dmin] = [half(bytes, from), half(bytes, from + 2)];
    const numbers = from + (fifths ? 48 : 16);
    for (let part = 0; part < 8; part++) {
      const [scale, minimum] = scaleAndMinimum(bytes, from + 4, part);
      for (let l = 0; l < 32; l++) {
        const pair = at(bytes, numbers + (part >> 1) * 32 + l);
        const fifth = fifths ? ((at(bytes, from + 16 + l) >> part) & 1) << 4 : 0;
        const q = ((part & 1 ? pair >> 4 : pair & 15) | fifth) * d * scale;
        out[to + part * 32 + l] = q - dmin * minimum;
      }
    }
  };

/** 256 numbers of four bits, their two high bits, 16 scales of eight bits, d. */
const q6K: Unpack = (bytes, from, out, to) => {
  const d = half(bytes, from + 208);
  for (let j = 0; j < 256; j++) {
    const [half128, quarter, l] = [j >> 7, (j >> 5) & 3, j & 31];
    const pair = at(bytes, from + half128 * 64 + (quarter & 1) * 32 + l);
    const high = (at(bytes, from + 128 + half128 * 32 + l) >> (quarter * 2)) & 3;
    const q = ((quarter < 2 ? pair & 15 : pair >> 4) | (high << 4)) - 32;
    out[to + j] = d * signed(bytes, from + 192 + (j >> 4)) * q;
  }
};

/** d, eight scales of six bits, 256 numbers of four that stand for steps. */
const iq4Xs: Unpack = (bytes, from, out, to) => {
  const d = half(bytes, from);
  const highs = at(bytes, from + 2) | (at(bytes, from + 3) << 8);
  for (let j = 0; j < 256; j++) {
    const part = j >> 5;
    const low = (at(bytes, from + 4 + (part >> 1)) >> ((part & 1) * 4)) & 15;
    const scale = (low | (((highs >> (2 * part)) & 3) << 4)) - 32;
    const pair = at(bytes, from + 8 + part * 16 + (j & 15));
    out[to + j] = d * scale * (STEPS[j & 16 ? pair >> 4 : pair & 15] as number);
  }
};

/** −1, 0 or 1: five in a byte as a fraction in base 3, the last sixteen four in a byte; d. */
const tq1: Unpack = (bytes, from, out, to) => {
  const d = half(bytes, from + 52);
  let j = to;
  const digits = (first: number, count: number, digits: number) => {
    for (let power = 1, n = 0; n < digits; n++, power *= 3) {
      for (let l = 0; l < count; l++) {
        const digit = (((at(bytes, from + first + l) * power) & 255) * 3) >> 8;
        out[j++] = (digit - 1) * d;
      }
    }
  };
  digits(0, 32, 5);
  digits(32, 16, 5);
  digits(48, 4, 4);
};

/** −1, 0 or 1 in two bits; d. */
const tq2: Unpack = (bytes, from, out, to) => {
  const d = half(bytes, from + 64);
  for (let j = 0; j < 256; j++) {
    const four = at(bytes, from + (j >> 7) * 32 + (j & 31));
    out[to + j] = (((four >> (((j >> 5) & 3) * 2)) & 3) - 1) * d;
  }
};

/** By ggml's number of the type. */
export const blocksOf256: readonly (readonly [number, NumberType])[] = [
  [10, blocks("Q2_K", 256, 84, q2K)],
  [11, blocks("Q3_K", 256, 110, q3K)],
  [12, blocks("Q4_K", 256, 144, q4K(false))],
  [13, blocks("Q5_K", 256, 176, q4K(true))],
  [14, blocks("Q6_K", 256, 210, q6K)],
  [23, blocks("IQ4_XS", 256, 136, iq4Xs)],
  [34, blocks("TQ1_0", 256, 54, tq1)],
  [35, blocks("TQ2_0", 256, 66, tq2)],
];
