// Weights as files hold them, of seeded numbers.

import { fromFloat16, toFloat16 } from "wasm-attention";
import type { StoredWeight } from "wasm-attention/quantized";
import { random, randomArray } from "./engines";
import { K_BLOCKS, type KFormat } from "./reference-blocks-of-256";

export function randomBytes(count: number, seed: number): Uint8Array<ArrayBuffer> {
  const next = random(seed);
  return Uint8Array.from({ length: count }, () => (next() + 1) * 128);
}

const BYTES = { Q8_0: 34, Q4_0: 18, Q4_1: 20, Q5_0: 22, Q5_1: 24 };

/** Rows of ggml's blocks whose scales and offsets are numbers. */
function blocksOf32(
  format: keyof typeof BYTES,
  dims: readonly number[],
  seed: number,
): StoredWeight {
  const [outputs = 0, inputs = 0] = dims;
  const count = (outputs * inputs) / 32;
  const data = randomBytes(count * BYTES[format], seed);
  const scales = toFloat16(randomArray(2 * count, seed + 1, 0.1));
  const view = new DataView(data.buffer);
  for (let block = 0; block < count; block++) {
    view.setUint16(block * BYTES[format], scales[2 * block] as number, true);
    if (format.endsWith("_1")) {
      view.setUint16(block * BYTES[format] + 2, scales[2 * block + 1] as number, true);
    }
  }
  return { format, dims, data };
}

/** The same of its blocks of 256. */
function blocksOf256(format: KFormat, dims: readonly number[], seed: number): StoredWeight {
  const [outputs = 0, inputs = 0] = dims;
  const count = (outputs * inputs) / 256;
  const { bytes, halves } = K_BLOCKS[format];
  const data = randomBytes(count * bytes, seed);
  const scales = toFloat16(randomArray(halves.length * count, seed + 1, 0.01));
  const view = new DataView(data.buffer);
  for (let block = 0; block < count; block++) {
    for (const [k, at] of halves.entries()) {
      view.setUint16(block * bytes + at, scales[block * halves.length + k] as number, true);
    }
  }
  return { format, dims, data };
}

/** Every kind of stored weight of about these sizes; the order that is given beside it. */
export function storedWeights(
  outputs: number,
  inputs: number,
  seed: number,
): [name: string, weight: StoredWeight, order: "out,in" | "in,out" | undefined][] {
  const dims = [outputs, inputs];
  const turned = [inputs, outputs];
  const list: [string, StoredWeight, "out,in" | "in,out" | undefined][] = [];
  for (const bits of [2, 4, 8] as const) {
    for (const blockSize of [16, 32, 512]) {
      const blocks = Math.ceil(inputs / blockSize);
      const count = outputs * blocks;
      const given = {
        format: "MatMulNBits",
        dims,
        bits,
        blockSize,
        data: randomBytes((count * blockSize * bits) / 8, seed + bits),
        scales: randomArray(count, seed + 1, 2 ** (1 - bits)),
      } as const;
      const packed = randomBytes(outputs * Math.ceil((blocks * bits) / 8), seed + 2);
      const floats = randomArray(count, seed + 3, 2 ** bits);
      const name = `${bits} bits, blocks of ${blockSize}`;
      list.push([name, given, undefined]);
      list.push([`${name}, zero points`, { ...given, zeroPoints: packed }, "out,in"]);
      list.push([`${name}, floats for zero points`, { ...given, zeroPoints: floats }, undefined]);
    }
  }
  const whole = [outputs, Math.ceil(inputs / 32) * 32];
  for (const format of Object.keys(BYTES) as (keyof typeof BYTES)[]) {
    list.push([format, blocksOf32(format, whole, seed), undefined]);
  }
  // Few outputs: a row of one block is long already.
  const larger = [Math.min(outputs, 9), Math.ceil(inputs / 256) * 256];
  for (const format of Object.keys(K_BLOCKS) as KFormat[]) {
    list.push([format, blocksOf256(format, larger, seed), undefined]);
  }
  const bytes = randomBytes(outputs * inputs, seed + 4);
  const one = Float32Array.of(0.01);
  const each = randomArray(outputs, seed + 5, 0.02);
  list.push(["uint8", { format: "uint8", dims: turned, data: bytes, scales: one }, "in,out"]);
  const zeros = randomBytes(outputs, seed + 6);
  list.push([
    "uint8, each output's own",
    { format: "uint8", dims, data: bytes, scales: each, zeroPoints: zeros },
    "out,in",
  ]);
  const signed = new Int8Array(bytes.buffer);
  list.push(["int8", { format: "int8", dims, data: signed, scales: each }, "out,in"]);
  list.push([
    "int8, a zero point",
    { format: "int8", dims: turned, data: signed, scales: each, zeroPoints: Int8Array.of(-128) },
    "in,out",
  ]);
  const halves = toFloat16(randomArray(outputs * inputs, seed + 7));
  // The smallest one, the largest, and a signed zero.
  halves.set([1, 0x7bff, 0x8000].slice(0, halves.length));
  list.push(["F16", { format: "F16", dims: turned, data: halves }, "in,out"]);
  const upper = Uint16Array.from(new Uint32Array(fromFloat16(halves).buffer), (x) => x >>> 16);
  list.push(["BF16", { format: "BF16", dims, data: new Uint8Array(upper.buffer) }, "out,in"]);
  return list;
}
