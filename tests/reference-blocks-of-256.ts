// ggml's blocks of 256 in float64, in the order of ggml-quants.c's dequantize_row_…: all numbers of a block.

import { fromFloat16 } from "wasm-attention";

export type KFormat = "Q2_K" | "Q3_K" | "Q4_K" | "Q5_K" | "Q6_K";

/** Bytes of a block, and where its scales of float16 lie. */
export const K_BLOCKS: Record<KFormat, { readonly bytes: number; readonly halves: number[] }> = {
  Q2_K: { bytes: 84, halves: [80, 82] },
  Q3_K: { bytes: 110, halves: [108] },
  Q4_K: { bytes: 144, halves: [0, 2] },
  Q5_K: { bytes: 176, halves: [0, 2] },
  Q6_K: { bytes: 210, halves: [208] },
};

export function blockOf256(format: KFormat, bytes: Uint8Array, start: number): number[] {
  const x = bytes.subarray(start, start + K_BLOCKS[format].bytes);
  const half = (at: number) =>
    fromFloat16(Uint16Array.of((x[at] as number) | ((x[at + 1] as number) << 8)))[0] as number;
  const [d = 0, least = 0] = K_BLOCKS[format].halves.map(half);
  const byte = (at: number) => x[at] as number;
  const y: number[] = [];
  if (format === "Q2_K") {
    let is = 0;
    for (let n = 0; n < 256; n += 128) {
      for (let shift = 0; shift < 8; shift += 2) {
        for (const from of [0, 16]) {
          const sc = byte(is++);
          for (let l = 0; l < 16; l++) {
            const q = (byte(16 + n / 4 + from + l) >> shift) & 3;
            y.push(d * (sc & 15) * q - least * (sc >> 4));
          }
        }
      }
    }
  } else if (format === "Q3_K") {
    const aux = [0, 1, 2].map((i) => new DataView(x.slice(96 + 4 * i).buffer).getUint32(0, true));
    const [a, b, c] = aux as [number, number, number];
    const [low, high] = [0x0f0f0f0f, 0x03030303];
    const words = [
      (a & low) | ((c & high) << 4),
      (b & low) | (((c >>> 2) & high) << 4),
      ((a >>> 4) & low) | (((c >>> 4) & high) << 4),
      ((b >>> 4) & low) | (((c >>> 6) & high) << 4),
    ];
    let is = 0;
    let m = 1;
    for (let n = 0; n < 256; n += 128) {
      for (let shift = 0; shift < 8; shift += 2, m <<= 1) {
        for (const from of [0, 16]) {
          const word = words[is >> 2] as number;
          const scale = ((word >>> (8 * (is & 3))) & 255) - 32;
          is++;
          for (let l = from; l < from + 16; l++) {
            const q = ((byte(32 + n / 4 + l) >> shift) & 3) - (byte(l) & m ? 0 : 4);
            y.push(d * scale * q);
          }
        }
      }
    }
  } else if (format === "Q6_K") {
    y.length = 256;
    for (let n = 0; n < 2; n++) {
      for (let l = 0; l < 32; l++) {
        const [p, r, h] = [byte(n * 64 + l), byte(n * 64 + l + 32), byte(128 + n * 32 + l)];
        const q = [
          (p & 15) | ((h & 3) << 4),
          (r & 15) | (((h >> 2) & 3) << 4),
          (p >> 4) | (((h >> 4) & 3) << 4),
          (r >> 4) | (((h >> 6) & 3) << 4),
        ];
        for (const [k, number] of q.entries()) {
          const scale = (byte(192 + n * 8 + (l >> 4) + 2 * k) << 24) >> 24;
          y[n * 128 + 32 * k + l] = d * scale * (number - 32);
        }
      }
    }
  } else {
    const numbers = format === "Q5_K" ? 48 : 16;
    for (let j = 0; j < 8; j++) {
      const s = (at: number) => byte(4 + at);
      const [sc, m] =
        j < 4
          ? [s(j) & 63, s(j + 4) & 63]
          : [(s(j + 4) & 15) | ((s(j - 4) >> 6) << 4), (s(j + 4) >> 4) | ((s(j) >> 6) << 4)];
      for (let l = 0; l < 32; l++) {
        const pair = byte(numbers + (j >> 1) * 32 + l);
        const fifth = format === "Q5_K" ? ((byte(16 + l) >> j) & 1) * 16 : 0;
        y.push(d * sc * ((j & 1 ? pair >> 4 : pair & 15) + fifth) - least * m);
      }
    }
  }
  return y;
}
