// ggml's types of numbers: float32, half floats, and blocks of 32 integers with a scale in float16.
//
//   Q8_0     d · q                      q int8
//   Q4_0     d · (q − 8)                q of 4 bits: the first 16 low, the others high
//   Q4_1     d · q + m
//   Q5_0     d · (q − 16)               q of 4 bits and a fifth, in an int32 for all 32
//   Q5_1     d · q + m
//   IQ4_NL   d · table[q]
//
// (ggml-org/ggml, src/ggml-quants.c.) Every value is exactly that of ggml.

import { fromBfloat16, fromFloat16 } from "wasm-attention";

const BLOCK = 32;
/** kvalues_iq4nl of ggml-common.h. */
const IQ4_NL = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

interface NumberType {
  readonly name: string;
  /** Numbers of a block, and its bytes. */
  readonly block: number;
  readonly bytes: number;
  read(bytes: Uint8Array): Float32Array;
}

/** By ggml's number of the type. */
export const NUMBER_TYPES: Readonly<Record<number, NumberType>> = {
  0: { name: "F32", block: 1, bytes: 4, read: (bytes) => new Float32Array(copied(bytes)) },
  1: { name: "F16", block: 1, bytes: 2, read: (bytes) => fromFloat16(halves(bytes)) },
  30: { name: "BF16", block: 1, bytes: 2, read: (bytes) => fromBfloat16(halves(bytes)) },
  2: blocks("Q4_0", 18, (view, at, put) => {
    const d = half(view, at);
    nibbles(view, at + 2, (code, i) => put(i, d * (code - 8)));
  }),
  3: blocks("Q4_1", 20, (view, at, put) => {
    const [d, m] = [half(view, at), half(view, at + 2)];
    nibbles(view, at + 4, (code, i) => put(i, d * code + m));
  }),
  6: blocks("Q5_0", 22, (view, at, put) => {
    const d = half(view, at);
    const fifths = view.getUint32(at + 2, true);
    nibbles(view, at + 6, (code, i) => put(i, d * (code + fifth(fifths, i) - 16)));
  }),
  7: blocks("Q5_1", 24, (view, at, put) => {
    const [d, m] = [half(view, at), half(view, at + 2)];
    const fifths = view.getUint32(at + 4, true);
    nibbles(view, at + 8, (code, i) => put(i, d * (code + fifth(fifths, i)) + m));
  }),
  8: blocks("Q8_0", 34, (view, at, put) => {
    const d = half(view, at);
    for (let i = 0; i < BLOCK; i++) put(i, d * view.getInt8(at + 2 + i));
  }),
  20: blocks("IQ4_NL", 18, (view, at, put) => {
    const d = half(view, at);
    nibbles(view, at + 2, (code, i) => put(i, d * IQ4_NL[code]));
  }),
};

type ReadBlock = (view: DataView, at: number, put: (i: number, value: number) => void) => void;

function blocks(name: string, bytes: number, readBlock: ReadBlock): NumberType {
  const read = (data: Uint8Array) => {
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    const values = new Float32Array((data.length / bytes) * BLOCK);
    for (let block = 0; block * bytes < data.length; block++) {
      readBlock(view, block * bytes, (i, value) => {
        values[block * BLOCK + i] = value;
      });
    }
    return values;
  };
  return { name, block: BLOCK, bytes, read };
}

function nibbles(view: DataView, at: number, take: (code: number, i: number) => void): void {
  for (let i = 0; i < BLOCK / 2; i++) {
    const pair = view.getUint8(at + i);
    take(pair & 15, i);
    take(pair >> 4, i + BLOCK / 2);
  }
}

const fifth = (bits: number, i: number) => ((bits >>> i) & 1) << 4;

const half = (view: DataView, at: number) =>
  fromFloat16(Uint16Array.of(view.getUint16(at, true)))[0];

const halves = (bytes: Uint8Array) => new Uint16Array(copied(bytes));

/** At an address of any alignment, a Buffer too, whose `slice` copies nothing. */
const copied = (bytes: Uint8Array) => new Uint8Array(bytes).buffer;
