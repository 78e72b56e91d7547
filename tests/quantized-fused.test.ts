// fusedLinear and transformer layers with weights of few bits: the bits of their parts one after the other, and
// in float32 those of the weights they stand for.

import assert from "node:assert/strict";
import { test } from "node:test";
import { linear, prepareLinear, tensor } from "wasm-attention";
import {
  activate,
  fusedLinear,
  fusedLinearAsync,
  TransformerEncoderLayer,
} from "wasm-attention/blocks";
import { dequantize, prepareQuantized } from "wasm-attention/quantized";
import { engine, randomArray, randomTensor, variants } from "./engines";

for (const variant of variants) {
  test(`fusedLinear of few bits is linear, activate and a sum, ${variant}`, async () => {
    using attention = await engine(variant);
    const { used } = attention.memory;
    const [rows, inputs, outputs] = [5, 70, 33];
    const options = { order: "out,in", bias: randomArray(outputs, 2) } as const;
    const weight = randomTensor([outputs, inputs], 1);
    using eight = prepareQuantized(attention, weight, { ...options, numbers: "int8" });
    using four = prepareQuantized(attention, weight, { ...options, numbers: "int4" });
    using float = prepareLinear(attention, weight, options);
    const x = randomTensor([rows, inputs], 3);
    const residual = randomTensor([rows, outputs], 4);
    for (const activation of [undefined, "gelu", "silu"] as const) {
      for (const [prepared, gate] of [
        [eight, undefined],
        [eight, four],
        [float, four],
        [four, float],
      ] as const) {
        for (const addend of [undefined, residual]) {
          const input = linear(attention, x, prepared);
          const gated = gate && linear(attention, x, gate);
          let { data } = input;
          if (activation) {
            data = activate(attention, input, activation, gated && { gate: gated }).data;
          } else if (gated) data = data.map((value, i) => value * (gated.data[i] as number));
          if (addend) data = data.map((value, i) => value + (addend.data[i] as number));
          const given = { activation, gate, residual: addend };
          const got = fusedLinear(attention, x, prepared, given);
          assert.deepEqual(got, tensor(data, [rows, outputs]));
          assert.deepEqual(await fusedLinearAsync(attention, x, prepared, given), got);
          // Into what is added, in linear memory.
          using out = attention.allocate([rows, outputs]);
          out.data.set(addend?.data ?? []);
          const placed = { ...given, residual: addend && out, out };
          fusedLinear(attention, x, prepared, placed);
          assert.deepEqual(out.data.slice(), data);
        }
      }
    }
    for (const one of [eight, four, float]) one.dispose();
    assert.equal(attention.memory.used, used);
  });

  test(`a transformer layer of prepared weights, ${variant}`, async () => {
    using attention = await engine(variant);
    const { used } = attention.memory;
    const [size, hidden] = [32, 48];
    const made = (outputs: number, inputs: number, seed: number) => {
      const weight = randomTensor([outputs, inputs], seed, 0.3);
      const options = { order: "out,in", bias: randomArray(outputs, seed + 1) } as const;
      const few = prepareQuantized(attention, weight, {
        ...options,
        numbers: "int8",
        activations: "float32",
      });
      return { few, float: { ...options, weight: dequantize(attention, few) } };
    };
    const all = [1, 3, 5, 7].map((seed) => made(size, size, seed));
    const linears = [made(hidden, size, 9), made(hidden, size, 11), made(size, hidden, 13)];
    const norm = { weight: randomArray(size, 15), bias: randomArray(size, 16) };
    const weights = <Kind extends "few" | "float">(kind: Kind) => {
      const [query, key, value, output] = all.map((one) => one[kind]);
      const [linear1, gate, linear2] = linears.map((one) => one[kind]);
      const selfAttention = { query, key, value, output };
      return { selfAttention, linear1, gate, linear2, norm1: norm, norm2: norm } as never;
    };
    const x = randomTensor([2, 9, size], 17);
    const config = { heads: 4, activation: "silu", normFirst: true } as const;
    const layer = new TransformerEncoderLayer(attention, config, weights("few"));
    const same = new TransformerEncoderLayer(attention, config, weights("float"));
    const [got, want] = [layer, same].map((one) => one.forward(x, { causal: true }).output);
    assert.deepEqual(got, want);
    layer.dispose();
    same.dispose();
    // They are still there for others.
    for (const { few } of [...all, ...linears]) {
      linear(attention, randomTensor([1, few.inputSize], 19), few);
      few.dispose();
    }
    assert.equal(attention.memory.used, used);
  });
}
