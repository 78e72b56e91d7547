// Cases of weights of few bits. Those of integers give the same bits in both builds.

import type { StoredWeight } from "wasm-attention/quantized";
import { filled, floats, integers } from "./numbers";
import type { Operation } from "./operations";

const bytes = (length: number, seed: number) => {
  const next = integers(seed);
  return Uint8Array.from({ length }, () => next() & 255);
};

/** Blocks of ggml's with scales (and offsets) from 2⁻⁸ to 2⁻⁷, in float16. */
function blocksOf32(format: "Q8_0" | "Q4_0" | "Q4_1" | "Q5_0" | "Q5_1", seed: number) {
  const size = { Q8_0: 34, Q4_0: 18, Q4_1: 20, Q5_0: 22, Q5_1: 24 }[format];
  const data = bytes(size * 3 * 67, seed);
  for (let at = 0; at < data.length; at += size) {
    for (const place of format.endsWith("_1") ? [1, 3] : [1]) data[at + place] = 0x1c;
  }
  return { format, dims: [67, 96], data } as const;
}

/** 300 inputs, or as many as the format has, to 67 outputs. */
const weights: readonly (readonly [StoredWeight, ("out,in" | "in,out")?])[] = [
  ...([2, 4, 8] as const).flatMap((bits) => {
    const count = 67 * 19;
    const weight = {
      format: "MatMulNBits",
      dims: [67, 300],
      bits,
      blockSize: 16,
      data: bytes(count * 2 * bits, 501 + bits),
      scales: floats(count, 502, 1 / 16),
    } as const;
    const packed = bytes(67 * Math.ceil((19 * bits) / 8), 503);
    return [
      [weight],
      [{ ...weight, zeroPoints: packed }],
      [{ ...weight, zeroPoints: floats(count, 504, 8) }],
    ] as const;
  }),
  ...(["Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1"] as const).map(
    (format, index) => [blocksOf32(format, 511 + index)] as const,
  ),
  [
    {
      format: "uint8",
      dims: [300, 67],
      data: bytes(67 * 300, 521),
      scales: floats(67, 522, 1 / 64),
      zeroPoints: bytes(67, 523),
    },
    "in,out",
  ],
];

export const quantizedWeights: readonly Operation[] = [
  [
    "weights of few bits as files hold them",
    (attention, wasm) =>
      weights.flatMap(([weight, order], index) => {
        const bias = floats(67, 530 + index);
        using prepared = wasm.prepareQuantized(attention, weight, { order, bias });
        const inputs = prepared.inputSize;
        return [
          wasm.dequantize(attention, prepared),
          ...[1, 4, 7].map((rows) =>
            wasm.linear(attention, filled([rows, inputs], 540 + rows, 4), prepared),
          ),
        ];
      }),
  ],
  [
    "weights rounded to int8 and int4, on threads too",
    (attention, wasm) =>
      (["int8", "int4"] as const).flatMap((numbers) => {
        const weight = filled([520, 264], 551);
        const options = { numbers, order: "in,out", bias: floats(264, 552) } as const;
        using prepared = wasm.prepareQuantized(attention, weight, options);
        const x = filled([70, 520], 553);
        // So small that a row's part has no integers.
        x.data.fill(2 ** -110, 0, 256);
        return [1, 70].map((rows) =>
          wasm.linear(
            attention,
            { data: x.data.slice(0, rows * 520), dims: [rows, 520] },
            prepared,
          ),
        );
      }),
  ],
  [
    "inputs of 14 bits and of 8",
    (attention, wasm) =>
      (["int14", "int8"] as const).flatMap((activations) => {
        const x = filled([7, 300], 571);
        x.data.fill(2 ** -110, 0, 256);
        const given = [
          [filled([67, 300], 572), { numbers: "int8", order: "out,in" }],
          [filled([67, 300], 573), { numbers: "int4", order: "out,in", block: 16 }],
          [
            {
              format: "uint8",
              dims: [67, 300],
              data: bytes(67 * 300, 574),
              scales: floats(67, 575, 1 / 64),
              zeroPoints: bytes(67, 576),
            },
            { order: "out,in" },
          ],
        ] as const;
        return given.flatMap(([weight, options]) => {
          using prepared = wasm.prepareQuantized(attention, weight, { ...options, activations });
          return [1, 7].map((rows) =>
            wasm.linear(
              attention,
              { data: x.data.slice(0, rows * 300), dims: [rows, 300] },
              prepared,
            ),
          );
        });
      }),
  ],
];

export const halfWeights: readonly Operation[] = [
  [
    "weights of float16 and bfloat16, and in float32 of int4",
    (attention, wasm) => {
      const data = wasm.toFloat16(floats(300 * 67, 561));
      const [x, row] = [filled([7, 300], 562), filled([1, 300], 563)];
      using four = wasm.prepareQuantized(attention, filled([300, 67], 564), {
        numbers: "int4",
        order: "in,out",
        activations: "float32",
      });
      const both = (["F16", "BF16"] as const).flatMap((format) => {
        const weight = { format, dims: [67, 300], data: format === "F16" ? data : brain(data) };
        using prepared = wasm.prepareQuantized(attention, weight, { order: "out,in" });
        return [x, row].map((given) => wasm.linear(attention, given, prepared));
      });
      return [...both, ...[x, row].map((given) => wasm.linear(attention, given, four))];
    },
  ],
];

/** Bits of float16 as bfloat16 of about 1. */
const brain = (bits: Uint16Array) => bits.map((half) => 0x3f00 | (half & 0x80ff));
