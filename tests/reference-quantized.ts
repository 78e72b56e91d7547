// The truth of weights of few bits in float64, from the formats' descriptions: what a stored weight stands
// for, and linear with x rounded to 16 bits. Nothing here is taken from the kernels.

import { fromBfloat16, fromFloat16 } from "wasm-attention";
import type { StoredWeight } from "wasm-attention/quantized";
import { blockOf256, K_BLOCKS } from "./reference-blocks-of-256";

/** The weight [inputs × outputs] in float64. */
export function decoded(weight: StoredWeight, order = "out,in"): Float64Array {
  const [outputs = 0, inputs = 0] = order === "out,in" ? weight.dims : [...weight.dims].reverse();
  const at = (o: number, i: number) => (order === "out,in" ? o * inputs + i : i * outputs + o);
  const each = (of: (o: number, i: number) => number) =>
    Float64Array.from({ length: outputs * inputs }, (_, n) =>
      of(n % outputs, Math.floor(n / outputs)),
    );
  switch (weight.format) {
    case "F16":
    case "BF16": {
      const { buffer, byteOffset, byteLength } = weight.data;
      const bits = new Uint16Array(
        buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer,
      );
      const values = weight.format === "F16" ? fromFloat16(bits) : fromBfloat16(bits);
      return each((o, i) => values[at(o, i)] as number);
    }
    case "int8":
    case "uint8":
      return each((o, i) => {
        const { data, scales, zeroPoints } = weight;
        const one = (list: ArrayLike<number>) => list[list.length === 1 ? 0 : o] as number;
        return ((data[at(o, i)] as number) - (zeroPoints ? one(zeroPoints) : 0)) * one(scales);
      });
    case "MatMulNBits": {
      const { bits, blockSize, data, scales, zeroPoints } = weight;
      const blocks = Math.ceil(inputs / blockSize);
      const number = (bytes: Uint8Array, start: number, n: number) => {
        const bit = n * bits;
        return ((bytes[start + (bit >> 3)] as number) >> (bit & 7)) & (2 ** bits - 1);
      };
      return each((o, i) => {
        const block = Math.floor(i / blockSize);
        const index = o * blocks + block;
        const row = Math.ceil((blocks * bits) / 8);
        let zero = 2 ** (bits - 1);
        if (zeroPoints instanceof Float32Array) zero = zeroPoints[index] as number;
        else if (zeroPoints) zero = number(zeroPoints, o * row, block);
        const q = number(data, (index * blockSize * bits) / 8, i % blockSize);
        return (q - zero) * (scales[index] as number);
      });
    }
    case "Q2_K":
    case "Q3_K":
    case "Q4_K":
    case "Q5_K":
    case "Q6_K": {
      const { format, data } = weight;
      const { bytes } = K_BLOCKS[format];
      const count = inputs / 256;
      const all = Array.from({ length: outputs * count }, (_, block) =>
        blockOf256(format, data, block * bytes),
      );
      return each((o, i) => (all[o * count + (i >> 8)] as number[])[i & 255] as number);
    }
    default: {
      const { format } = weight;
      return each((o, i) => blockOf32(format, weight.data, o * (inputs / 32) + (i >> 5), i & 31));
    }
  }
}

const SIZES = { Q8_0: 34, Q4_0: 18, Q4_1: 20, Q5_0: 22, Q5_1: 24 };

function blockOf32(format: keyof typeof SIZES, data: Uint8Array, block: number, i: number): number {
  const view = new DataView(data.buffer, data.byteOffset + block * SIZES[format], SIZES[format]);
  const half = (at: number) => fromFloat16(Uint16Array.of(view.getUint16(at, true)))[0] as number;
  const scale = half(0);
  if (format === "Q8_0") return view.getInt8(2 + i) * scale;
  const behind = format.endsWith("_1");
  const start = behind ? 4 : 2;
  const five = format.startsWith("Q5");
  const pair = view.getUint8(start + (five ? 4 : 0) + (i & 15));
  const low = i < 16 ? pair & 15 : pair >> 4;
  const q = five ? low + 16 * ((view.getUint32(start, true) >>> i) & 1) : low;
  return behind ? q * scale + half(2) : (q - (five ? 16 : 8)) * scale;
}

/**
 * x with each 256 inputs of a row rounded to 16 bits, or fewer, unless all are below `least`: what the
 * products are made of, in float64.
 */
export function rounded(x: Float32Array, inputs: number, most = 32767, least = 0): Float64Array {
  const result = new Float64Array(x.length);
  for (let row = 0; row < x.length; row += inputs) {
    for (let from = 0; from < inputs; from += 256) {
      const end = row + Math.min(from + 256, inputs);
      const part = x.subarray(row + from, end);
      const largest = part.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      if (largest < least) result.set(part, row + from);
      if (largest < least || largest === 0) continue;
      const factor = Math.fround(most / largest);
      for (const [i, value] of part.entries()) {
        result[row + from + i] = (halfToEven(Math.fround(value * factor)) * largest) / most;
      }
    }
  }
  return result;
}

export function halfToEven(x: number): number {
  const floor = Math.floor(x);
  if (x - floor !== 0.5) return Math.round(x);
  return floor % 2 ? floor + 1 : floor;
}
