// Products by weights of few bits, drawn at random, against float64; and what a failing one leaves.

import assert from "node:assert/strict";
import fc from "fast-check";
import { linear, tensor } from "wasm-attention";
import { fusedLinear } from "wasm-attention/blocks";
import { dequantize, prepareQuantized } from "wasm-attention/quantized";
import { randomArray, type Whole } from "../engines";
import { shareOfTolerance } from "../reference";
import { linear as product } from "../reference-linear";
import { decoded, rounded } from "../reference-quantized";
import { storedWeights } from "../stored-weights";

const MOST = { int16: 32767, int14: 8191, int8: 63, float32: 0 } as const;

export const quantizedProblems = fc.record({
  seed: fc.integer({ min: 1, max: 2 ** 30 }),
  outputs: fc.integer({ min: 1, max: 40 }),
  inputs: fc.oneof(fc.integer({ min: 1, max: 70 }), fc.constantFrom(255, 256, 257, 300)),
  rows: fc.constantFrom(1, 2, 4, 5, 9),
  /** Which of the weights that there are. */
  weight: fc.nat(),
  activations: fc.constantFrom("int16", "int14", "int8", "float32"),
  amplitude: fc.constantFrom(1, 1e-20, 1e20),
  /** A part of the first row that has no integers. */
  tiny: fc.boolean(),
  out: fc.boolean(),
  fused: fc.boolean(),
});

type Drawn = typeof quantizedProblems extends fc.Arbitrary<infer T> ? T : never;

export function checkQuantized(attention: Whole, drawn: Drawn): void {
  const { seed, rows, activations, amplitude } = drawn;
  const list = storedWeights(drawn.outputs, drawn.inputs, seed);
  const [name, weight, order] = list[drawn.weight % list.length] as (typeof list)[number];
  const outputs = weight.dims[order === "in,out" ? 1 : 0] as number;
  const bias = randomArray(outputs, seed + 8, amplitude);
  using prepared = prepareQuantized(attention, weight, { order, bias, activations });
  const { inputSize: inputs } = prepared;
  const x = randomArray(rows * inputs, seed + 9, amplitude);
  if (drawn.tiny) x.fill(2 ** -110, 0, Math.min(inputs, 256));
  const input = tensor(x, [rows, inputs]);
  let got: Float32Array;
  if (drawn.fused) {
    got = fusedLinear(attention, input, prepared).data;
  } else if (drawn.out) {
    got = new Float32Array(rows * outputs);
    linear(attention, input, prepared, { out: got });
  } else got = linear(attention, input, prepared).data;
  const inFloats = activations === "float32" || name.includes("F16");
  const factors = inFloats ? x : rounded(x, inputs, MOST[activations], 2 ** -100);
  // A zero point of float32 is rounded with the number's middle: what the weight stands for then.
  const { data } = dequantize(attention, prepared);
  const truth = name.includes("floats")
    ? data.map(
        (_, n) =>
          data[order !== "in,out" ? (n % outputs) * inputs + Math.floor(n / outputs) : n] as number,
      )
    : decoded(weight, order);
  const sizes = [bias, rows, inputs, outputs] as const;
  const want = product(factors, truth, ...sizes);
  // Two orders of the sums: one alone may be right by chance.
  const backwards = (from: ArrayLike<number>, width: number, count: number) =>
    Float64Array.from(from, (_, n) => {
      const [row, column] = [Math.floor(n / width), n % width];
      // Inputs are columns of x, and rows of the weight.
      return from === factors
        ? (from[row * width + width - 1 - column] as number)
        : (from[(count - 1 - row) * width + column] as number);
    });
  const naive = [
    product(factors, truth, ...sizes, Math.fround),
    product(
      backwards(factors, inputs, rows),
      backwards(truth, outputs, inputs),
      ...sizes,
      Math.fround,
    ),
  ];
  const share = shareOfTolerance(got, want, naive);
  assert.ok(share <= 1, `${name}, ${activations}: ${share} of the tolerance`);
}
