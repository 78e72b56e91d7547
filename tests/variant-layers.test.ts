// AdditiveAttention against float64 from the formulas: projections, scores, weights, gradients by differences.

import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { prepareLinear, type Tensor, tensor } from "wasm-attention";
import {
  AdditiveAttention,
  additiveLayerBackward,
  additiveLayerBackwardAsync,
} from "wasm-attention/variants";
import { B, Dv, draw, Ek, L, type Numbers, near, S } from "./checks/variant-layers";
import { bitsOf, engine, randomTensor, variants } from "./engines";
import { variantHead } from "./reference-variants";

const dot = (a: Numbers, b: Numbers) => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
};

for (const variant of variants) {
  for (const [scaled, biased, own] of [
    [false, false, true],
    [false, true, false],
    [true, true, true],
    [true, false, false],
  ])
    test(`AdditiveAttention: scaled ${scaled}, biased ${biased}, own values ${own}, ${variant}`, async () => {
      const attention = await engine(variant);
      const { used } = attention.memory;
      const { tensors, numbers, weights, heads } = draw(scaled, biased);
      const { query, key, value } = tensors;
      const lengths = [S, S - 2];
      const inputs = { query, key, ...(own && { value }) };
      const visible = (b: number, _: number, j: number) => j < lengths[b];
      const truth = () => {
        const all = heads(own, visible).map((head) => variantHead(head));
        return {
          output: all.flatMap(({ output }) => output),
          weights: all.flatMap(({ weights }) => weights),
        };
      };
      const layer = new AdditiveAttention(attention, weights);
      const options = { keyLengths: lengths };
      const got = layer.forward(inputs, { ...options, weights: true });
      const exact = truth();
      assert.deepEqual(got.output.dims, [B, L, own ? Dv : Ek]);
      assert.deepEqual(got.weights.dims, [B, 1, L, S]);
      near(got.output.data, exact.output, 2e-6, "output");
      near(got.weights.data, exact.weights, 2e-6, "weights");
      const later = await layer.forwardAsync(inputs, { ...options, weights: true });
      assert.deepEqual(bitsOf(later), bitsOf(got));

      const outputGradient = randomTensor(got.output.dims, 20);
      const weightsGradient = randomTensor(got.weights.dims, 21);
      const pass = { ...inputs, outputGradient, weightsGradient };
      const gradients = additiveLayerBackward(layer, pass, { ...options, weights: true });
      const after = await additiveLayerBackwardAsync(layer, pass, options);
      assert.deepEqual(after.weights.key.weight.data, gradients.weights.key.weight.data);
      assert.deepEqual(after.queryGradient.data, gradients.queryGradient.data);
      const loss = () => {
        const { output, weights } = truth();
        return dot(output, outputGradient.data) + dot(weights, weightsGradient.data);
      };
      const { weights: ofWeights } = gradients;
      const named: [keyof typeof numbers, Tensor | undefined, boolean][] = [
        ["query", gradients.queryGradient, true],
        ["key", gradients.keyGradient, true],
        ["value", gradients.valueGradient, own],
        ["queryWeight", ofWeights.query.weight, true],
        ["keyWeight", ofWeights.key.weight, true],
        ["keyBias", ofWeights.key.bias, biased],
        ["scoreWeight", ofWeights.scoreWeight, true],
        ["scoreBias", ofWeights.scoreBias, biased],
      ];
      assert.equal(ofWeights.query.bias, undefined);
      const differences = (moved: Float64Array) =>
        moved.map((x, i) => {
          const step = 1e-6;
          moved[i] = x + step;
          const above = loss();
          moved[i] = x - step;
          const below = loss();
          moved[i] = x;
          return (above - below) / (2 * step);
        });
      for (const [name, gradient, wanted] of named) {
        assert.equal(gradient !== undefined, wanted, name);
        if (!gradient) continue;
        assert.deepEqual(gradient.dims, tensors[name].dims, name);
        near(gradient.data, differences(numbers[name]), 1e-5, name);
      }
      assert.equal(ofWeights.scoreScale !== undefined, scaled);
      if (scaled) near([ofWeights.scoreScale ?? NaN], differences(numbers.scoreScale), 1e-5);

      // Other weights in place, and what was there is not read again.
      const other = draw(scaled, biased, 50);
      tensors.scoreWeight.data.fill(NaN);
      const { query: w, key: u, ...vectors } = other.weights;
      layer.update({
        query: { weight: w.weight },
        key: { weight: u.weight, bias: u.bias },
        ...vectors,
      });
      const updated = layer.forward(inputs, options).output.data;
      const made = new AdditiveAttention(attention, other.weights);
      assert.deepEqual(made.forward(inputs, options).output.data, updated);
      assert.match(inspect(made), /^AdditiveAttention \{\s+size: 7,\s+query/);
      for (const each of [layer, made]) each.dispose();
      made.dispose();
      assert.deepEqual(JSON.parse(JSON.stringify(made)), { disposed: true });
      const gone = { name: "DisposedError", argument: "layer" };
      assert.throws(() => made.forward(inputs), gone);
      assert.throws(() => additiveLayerBackward(made, pass), gone);
      assert.throws(() => made.update({}), gone);
      assert.equal(attention.memory.used, used);
    });

  test(`without a batch, prepared weights stay their maker's, one element, ${variant}`, async () => {
    const attention = await engine(variant);
    const { used } = attention.memory;
    const one = tensor(Float32Array.of(0.5), [1, 1]);
    using prepared = prepareLinear(attention, one, { order: "in,out" });
    {
      using layer = new AdditiveAttention(attention, {
        ...{ query: prepared, key: prepared },
        scoreWeight: Float32Array.of(2),
      });
      const { output } = layer.forward({ query: one, key: one });
      assert.deepEqual([output.dims, [...output.data]], [[1, 1], [0.5]]);
      const { forward } = layer;
      assert.deepEqual(forward({ query: one, key: one }).output.data, output.data);
    }
    assert.equal(prepared.inputSize, 1);
    prepared.dispose();
    assert.equal(attention.memory.used, used);
  });
}
