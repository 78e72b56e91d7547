import { linear, MultiHeadAttention, type PreparedLinear, prepareLinear } from "wasm-attention";
import { fusedLinear } from "wasm-attention/blocks";
import { dequantize, prepareQuantized } from "wasm-attention/quantized";
import { linearBackward } from "wasm-attention/training";
import type { Whole } from "../engines";
import { type Call, list, none, type Refusal, zeros } from "./refusal";

const x = zeros(2, 3);
const rounded =
  (options: object, weight: unknown = x): Call =>
  (attention) =>
    prepareQuantized(attention, weight as never, options as never);
const good = { numbers: "int8", order: "out,in" } as const;
const bits = {
  format: "MatMulNBits",
  dims: [2, 20],
  bits: 4,
  blockSize: 16,
  data: new Uint8Array(32),
  scales: new Float32Array(4),
};
const stored =
  (other: object, options: object = {}): Call =>
  (attention) =>
    prepareQuantized(attention, { ...bits, ...other } as never, options);
const integers = {
  format: "uint8",
  dims: [3, 2],
  data: new Uint8Array(6),
  scales: new Float32Array(2),
};
const kept =
  (other: object, options: object = { order: "in,out" }): Call =>
  (attention) =>
    prepareQuantized(attention, { ...integers, ...other } as never, options);
/** What is done with a weight of int8 [2, 3]. */
const using =
  (use: (attention: Whole, weight: PreparedLinear) => unknown): Call =>
  (attention) => {
    using weight = prepareQuantized(attention, x, good);
    return use(attention, weight);
  };
const name = "prepareQuantized";

export const quantizedRefused: Refusal[] = [
  [
    `${name}: "options" expected { numbers, order, … }, got undefined`,
    (a) => prepareQuantized(a, x, none),
  ],
  [`${name}: "numbers" expected "int8" or "int4", got undefined`, rounded({ order: "out,in" })],
  [`${name}: "numbers" expected "int8" or "int4", got "int2"`, rounded({ numbers: "int2" })],
  [`${name}: "order" expected "out,in" or "in,out", got undefined`, rounded({ numbers: "int4" })],
  [
    `${name}: "bits" expected the name "numbers", got an option that does not exist`,
    rounded({ ...good, bits: 4 }),
  ],
  [`${name}: "block" expected a power of two from 16, got 24`, rounded({ ...good, block: 24 })],
  [`${name}: "block" expected a power of two from 16, got 8`, rounded({ ...good, block: 8 })],
  [`${name}: "weight" expected a tensor { data, dims }, got []`, rounded(good, list)],
  [`${name}: "weight.dims" expected [out,in], each at least 1, got [2]`, rounded(good, zeros(2))],
  [
    `${name}: "weight.dims" expected [out,in], each at least 1, got [2, 0]`,
    rounded(good, zeros(2, 0)),
  ],
  [`${name}: "bias" expected 2 elements, got 3`, rounded({ ...good, bias: zeros(3) })],
  [
    `${name}: "activations" expected "int16", "int14", "int8" or "float32", got "int4"`,
    rounded({ ...good, activations: "int4" }),
  ],
  [
    `${name}: "activations" expected "int16", "int14", "int8" or "float32", got 8`,
    rounded({ ...good, activations: 8 }),
  ],
  [
    `${name}: "weight.dims" expected whole blocks of 256 inputs of Q6_K, got [2, 32]`,
    (a) => prepareQuantized(a, { format: "Q6_K", dims: [2, 32], data: new Uint8Array(0) }, {}),
  ],
  [
    `${name}: "weight.format" expected one of MatMulNBits, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, int8, uint8, F16, BF16, got "IQ4_XS"`,
    stored({ format: "IQ4_XS" }),
  ],
  [
    `${name}: "numbers" expected no value for a stored weight, which keeps its own, got "int8"`,
    stored({}, { numbers: "int8" }),
  ],
  [
    `${name}: "block" expected no value for a stored weight, which keeps its own, got 32`,
    stored({}, { block: 32 }),
  ],
  [
    `${name}: "order" expected "out,in", as the format has it, got "in,out"`,
    stored({}, { order: "in,out" }),
  ],
  [`${name}: "weight.bits" expected 2, 4 or 8, got 3`, stored({ bits: 3 })],
  [
    `${name}: "weight.blockSize" expected a power of two from 16, got 20`,
    stored({ blockSize: 20 }),
  ],
  [
    `${name}: "weight.data" expected a Uint8Array of 32 elements, got 31`,
    stored({ data: new Uint8Array(31) }),
  ],
  [
    `${name}: "weight.data" expected a Uint8Array of 32 elements, got Float32Array of 32`,
    stored({ data: new Float32Array(32) }),
  ],
  [
    `${name}: "weight.scales" expected a Float32Array of 4 elements, got 2`,
    stored({ scales: new Float32Array(2) }),
  ],
  [
    `${name}: "weight.zeroPoints" expected a Uint8Array of 2 elements, got 4`,
    stored({ zeroPoints: new Uint8Array(4) }),
  ],
  [
    `${name}: "weight.zeroPoints" expected a Float32Array of 4 elements, got 2`,
    stored({ zeroPoints: new Float32Array(2) }),
  ],
  [
    `${name}: "weight.dims" expected whole blocks of 32 inputs of Q8_0, got [2, 20]`,
    (a) => prepareQuantized(a, { format: "Q8_0", dims: [2, 20], data: new Uint8Array(0) }, {}),
  ],
  [
    `${name}: "weight.data" expected a Uint8Array of 68 elements, got 0`,
    (a) => prepareQuantized(a, { format: "Q8_0", dims: [2, 32], data: new Uint8Array(0) }, {}),
  ],
  [`${name}: "order" expected "out,in" or "in,out", got undefined`, kept({}, {})],
  [
    `${name}: "weight.scales" expected a Float32Array of 1 or 2 elements, got 3`,
    kept({ scales: new Float32Array(3) }),
  ],
  [
    `${name}: "weight.zeroPoints" expected a Uint8Array of 1 or 2 elements, got Int8Array of 1`,
    kept({ zeroPoints: new Int8Array(1) }),
  ],
  [
    `${name}: "weight.data" expected a Uint16Array or Uint8Array of 12 elements, got 6`,
    kept({ format: "F16", scales: undefined }),
  ],
  [
    'linear: "x.dims" expected […, in] with in = 3, got [2, 2]',
    using((a, weight) => linear(a, zeros(2, 2), weight)),
  ],
  [
    'update: "prepared" expected a weight of float32, from prepareLinear, got one of int8',
    using((_, weight) => weight.update(x)),
  ],
  [
    'linearBackward: "prepared" expected a weight of float32, from prepareLinear, got one of int8',
    using((a, weight) => linearBackward(a, zeros(1, 2), zeros(1, 3), weight)),
  ],
  [
    'fusedLinear: "x.dims" expected […, in] with in = 3, got [1, 2]',
    using((a, weight) => fusedLinear(a, zeros(1, 2), weight)),
  ],
  [
    'fusedLinear: "gate" expected a weight from 3 to 2, as prepared, got one from 2 to 3',
    using((a, weight) => {
      using gate = prepareQuantized(a, zeros(3, 2), good);
      return fusedLinear(a, zeros(1, 3), weight, { gate });
    }),
  ],
  [
    'dequantize: "prepared" expected a weight from prepareQuantized, got one of float32',
    (a) => {
      using weight = prepareLinear(a, x, { order: "out,in" });
      return dequantize(a, weight);
    },
  ],
  [
    'dequantize: "prepared" expected a weight from prepareLinear, got []',
    (a) => dequantize(a, list),
  ],
  [
    'MultiHeadAttention: "heads" expected a divisor of the query\'s H·D = 2 outputs, got 4',
    using((a, weight) => {
      const all = { query: weight, key: weight, value: weight, output: weight };
      return new MultiHeadAttention(a, { heads: 4 }, all);
    }),
  ],
];
