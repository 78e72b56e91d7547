// Gradients of MonotonicAttention against differences of the formula in float64.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Tensor, tensor } from "wasm-attention";
import {
  MonotonicAttention,
  type MonotonicLayerGradients,
  monotonicLayerBackward,
  monotonicLayerBackwardAsync,
} from "wasm-attention/variants";
import { B, draw, L, near, S } from "./checks/variant-layers";
import { bitsOf, engine, randomTensor, variants } from "./engines";
import { differences, dot } from "./reference-modified";
import { monotonicRow, variantHead } from "./reference-variants";

for (const variant of variants)
  for (const [scaled, biased, own, started] of [
    [false, false, true, false],
    [false, true, false, true],
    [true, true, true, true],
  ])
    test(`gradients: scaled ${scaled}, biased ${biased}, own values ${own}, ${variant}`, async () => {
      const attention = await engine(variant);
      const { used } = attention.memory;
      const { tensors, numbers, weights, heads } = draw(scaled, biased);
      const { query, key, value } = tensors;
      const keyLengths = [S, S - 2];
      const offset = Float64Array.of(-0.75);
      const before = randomTensor([B, S], 30);
      before.data.forEach((x, i) => {
        before.data[i] = Math.abs(x);
      });
      const previous = Float64Array.from(
        before.data.map((x, i) => (started ? x : i % S === 0 ? 1 : 0)),
      );
      const truth = () => {
        const each = heads(own, () => true).map((head, b) => {
          const { scores } = variantHead(head);
          const p = Array.from({ length: L }, (_, i) =>
            Array.from({ length: S }, (_, j) => 1 / (1 + Math.exp(-scores[i * S + j] - offset[0]))),
          );
          const row = monotonicRow(p, [...previous.subarray(b * S, (b + 1) * S)], keyLengths[b]);
          const output = row.flatMap((a) =>
            Array.from({ length: head.columns }, (_, c) =>
              a.reduce((sum, weight, j) => sum + weight * head.value[j * head.columns + c], 0),
            ),
          );
          return { output, alignment: row.flat() };
        });
        return {
          output: each.flatMap(({ output }) => output),
          alignment: each.flatMap(({ alignment }) => alignment),
        };
      };
      const layer = new MonotonicAttention(attention, { ...weights, scoreOffset: -0.75 });
      const held = attention.memory.used;
      const inputs = { query, key, ...(own && { value }) };
      const options = { keyLengths, ...(started && { previous: before }) };
      const { output, alignment, energies } = layer.forward(inputs, options);
      near(output.data, truth().output, 2e-6, "output");
      const outputGradient = randomTensor(output.dims, 31);
      const alignmentGradient = randomTensor(alignment.dims, 32);
      const pass = { ...inputs, energies, alignment, outputGradient, alignmentGradient };
      const got = monotonicLayerBackward(layer, pass, options);
      const flat = ({ weights: of, ...rest }: MonotonicLayerGradients) => ({
        ...rest,
        ...{ queryWeight: of.query.weight, keyWeight: of.key.weight, scoreWeight: of.scoreWeight },
        ...(of.key.bias && { keyBias: of.key.bias }),
        ...(of.scoreBias && { scoreBias: of.scoreBias }),
      });
      const later = await monotonicLayerBackwardAsync(layer, pass, options);
      assert.deepEqual(bitsOf(flat(later)), bitsOf(flat(got)));
      assert.equal(later.weights.scoreOffset, got.weights.scoreOffset);
      const loss = () => {
        const exact = truth();
        return (
          dot(exact.output, outputGradient.data) + dot(exact.alignment, alignmentGradient.data)
        );
      };
      const { weights: of } = got;
      const one = (x?: number) => (x === undefined ? undefined : tensor(Float32Array.of(x), [1]));
      const named: [string, Tensor | undefined, Float64Array, boolean][] = [
        ["query", got.queryGradient, numbers.query, true],
        ["key", got.keyGradient, numbers.key, true],
        ["value", got.valueGradient, numbers.value, own],
        ["previous", got.previousGradient, previous, started],
        ["queryWeight", of.query.weight, numbers.queryWeight, true],
        ["keyWeight", of.key.weight, numbers.keyWeight, true],
        ["keyBias", of.key.bias, numbers.keyBias, biased],
        ["scoreWeight", of.scoreWeight, numbers.scoreWeight, true],
        ["scoreBias", of.scoreBias, numbers.scoreBias, biased],
        ["scoreScale", one(of.scoreScale), numbers.scoreScale, scaled],
        ["scoreOffset", one(of.scoreOffset), offset, true],
      ];
      for (const [name, gradient, moved, wanted] of named) {
        assert.equal(gradient !== undefined, wanted, name);
        if (gradient) near(gradient.data, differences(moved, loss, 1e-6), 1e-5, name);
      }
      assert.equal(attention.memory.used, held);
      layer.dispose();
      assert.throws(() => monotonicLayerBackward(layer, pass, options), { name: "DisposedError" });
      assert.equal(attention.memory.used, used);
    });
