// Products by weights of few bits as onnxruntime has them.

import { linear, type Tensor } from "wasm-attention";
import { dequantize, type MatMulNBitsWeight, prepareQuantized } from "wasm-attention/quantized";
import type { Whole } from "../engines";
import { type Case, floats, numbers } from "./case";

/** In float32, as the operator does; and in 16 bits, no further off than half a step of each input. */
export function matMulNBits(engine: Whole, c: Case): Tensor[] {
  const { K, N, bits, block_size: blockSize } = c.attributes;
  const [a, b, scales, zeros, , bias] = c.inputs;
  const x = floats(a ?? undefined) as Tensor;
  const weight: MatMulNBitsWeight = {
    format: "MatMulNBits",
    dims: [N, K],
    bits,
    blockSize,
    data: Uint8Array.from(numbers(b as NonNullable<typeof b>)),
    scales: (floats(scales ?? undefined) as Tensor).data,
    ...(zeros && {
      zeroPoints:
        zeros.dtype === "uint8" ? Uint8Array.from(numbers(zeros)) : (floats(zeros) as Tensor).data,
    }),
  };
  const options = { bias: floats(bias ?? undefined)?.data };
  using exact = prepareQuantized(engine, weight, { ...options, activations: "float32" });
  const result = linear(engine, x, exact);
  using rounded = prepareQuantized(engine, weight, options);
  const { data } = linear(engine, x, rounded);
  const w = dequantize(engine, rounded).data;
  for (const [n, y] of data.entries()) {
    const [row, column] = [Math.floor(n / N) * K, (n % N) * K];
    const largest = x.data.subarray(row, row + K).reduce((m, v) => Math.max(m, Math.abs(v)), 0);
    const sum = w.subarray(column, column + K).reduce((s, v) => s + Math.abs(v), 0);
    const reach = (largest / 32767 / 2 + largest * 2 ** -22) * sum;
    if (Math.abs(y - (result.data[n] as number)) <= reach) continue;
    throw new Error(`in 16 bits ${y} for ${result.data[n]}, further than ${reach}`);
  }
  return [result];
}
