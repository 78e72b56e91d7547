// The layer beside the same one in operations of TensorFlow.js, and in float64 with gradients by
// finite differences, on both backends.

import assert from "node:assert/strict";
import { test } from "node:test";
import * as tf from "@tensorflow/tfjs-core";
import type { layers } from "@tensorflow/tfjs-layers";
import { MultiHeadAttention, type MultiHeadAttentionArgs } from "wasm-attention/tfjs";
import { backends, numbers, use } from "./backends";
import { close } from "./compare";
import "./relaxed";
import { PlainMultiHeadAttention } from "./plain-layer";
import { differences, layer as exact, type Sequence } from "./reference";

const [B, L, S, E, F] = [2, 5, 4, 6, 7];
const [numHeads, keyDim] = [2, 3];

/** Output, and gradients of Σ output · c by the inputs and by every weight. */
function gradients(layer: layers.Layer, inputs: tf.Tensor[], c: tf.Tensor) {
  const call = (...given: tf.Tensor[]) => layer.apply(given) as tf.Tensor;
  const loss = (...given: tf.Tensor[]) => tf.sum(tf.mul(call(...given), c)) as tf.Tensor;
  const output = call(...inputs);
  const ofInputs = tf.grads(loss)(inputs);
  const variables = layer.weights.map((weight) => weight.read() as tf.Variable);
  const { grads } = tf.variableGrads(() => loss(...inputs) as tf.Scalar, variables);
  return { output, all: [...ofInputs, ...variables.map(({ name }) => grads[name])] };
}

const float64 = (x: tf.Tensor) => Float64Array.from(x.dataSync());
const sequence = (x: tf.Tensor): Sequence => ({
  data: float64(x),
  dims: x.shape as [number, number, number],
});

interface Case {
  readonly name: string;
  readonly shapes: number[][];
  readonly args?: Partial<MultiHeadAttentionArgs>;
  readonly causal?: boolean;
  /** In the dims of a mask input. */
  readonly mask?: number[];
}

const cases: Case[] = [
  { name: "self-attention", shapes: [[B, L, E]] },
  { name: "causal", shapes: [[B, L, E]], args: { useCausalMask: true }, causal: true },
  {
    name: "query and value",
    shapes: [
      [B, L, E],
      [B, S, F],
    ],
  },
  {
    name: "query, value and key",
    shapes: [
      [B, L, E],
      [B, S, F],
      [B, S, E],
    ],
  },
  { name: "a mask of keys", shapes: [[B, L, E]], mask: [B, L] },
  {
    name: "a mask for all heads",
    shapes: [
      [B, L, E],
      [B, S, F],
    ],
    mask: [B, L, S],
  },
  {
    name: "a mask for each head",
    shapes: [
      [B, L, E],
      [B, S, F],
    ],
    mask: [B, numHeads, L, S],
  },
  { name: "values of another size", shapes: [[B, L, E]], args: { valueDim: 4 } },
];

for (const backend of backends) {
  for (const c of cases) {
    test(`${backend}: ${c.name}: output and all gradients`, async () => {
      await use(backend);
      tf.tidy(() => {
        const layer = new MultiHeadAttention({
          numHeads,
          keyDim,
          ...c.args,
          ...(c.mask && { attentionMask: true }),
        });
        const tensors = c.shapes.map((shape, at) => numbers(shape, at + 1));
        const masks = c.mask ? [tf.cast(tf.greater(numbers(c.mask, 8), -0.2), "float32")] : [];
        layer.build([...tensors, ...masks].map(({ shape }) => shape));
        layer.setWeights(layer.weights.map(({ shape }, at) => numbers(shape as number[], at + 20)));
        const outputs = numbers(c.shapes[0], 9);
        const call = (...given: tf.Tensor[]) => layer.apply([...given, ...masks]) as tf.Tensor;
        const withMask = { weights: layer.weights, apply: (given: tf.Tensor[]) => call(...given) };
        const got = gradients(withMask as unknown as layers.Layer, tensors, outputs);

        // In float64, with every gradient by finite differences.
        const given = tensors.map(sequence);
        const weights = layer.weights.map((weight) => ({
          data: float64(weight.read()),
          dims: weight.shape as number[],
        }));
        const seen = masks[0]?.dataSync();
        const [, , rows = 1] = c.mask?.length === 4 ? c.mask : [0, 0, c.mask?.[1] ?? 1];
        const keys = c.mask?.at(-1) ?? 0;
        const sees = (b: number, h: number, i: number, j: number) => {
          if (c.causal) return j <= i;
          if (!seen) return true;
          if (c.mask?.length === 2) return seen[b * keys + j] !== 0;
          const matrix = c.mask?.length === 4 ? b * numHeads + h : b;
          return seen[(matrix * rows + i) * keys + j] !== 0;
        };
        const factors = float64(outputs);
        const [query, value = query, key = value] = given;
        const run = () => exact([query, value, key], weights, sees).data;
        const loss = () => run().reduce((sum, x, index) => sum + x * factors[index], 0);
        close(got.output, run(), 1e-6, "output");
        const arrays = [...given, ...weights].map(({ data }) => data);
        assert.equal(got.all.length, arrays.length);
        // A key bias shifts all scores of a query alike: its gradient is 0 but for rounding.
        const keyBias = given.length + 3;
        const scale = Math.max(
          ...got.all.map((gradient) => tf.max(tf.abs(gradient)).dataSync()[0]),
        );
        for (const [index, array] of arrays.entries()) {
          const expected = differences(array, loss);
          if (index !== keyBias) close(got.all[index], expected, 1e-5, `gradient ${index}`);
          else
            for (const x of got.all[index].dataSync())
              assert.ok(Math.abs(x) < 1e-5 * scale, `${x}`);
        }

        if (c.mask || c.args?.valueDim) return;
        const plain = new PlainMultiHeadAttention({ numHeads, keyDim, causal: c.causal === true });
        plain.build(tensors.map(({ shape }) => shape));
        plain.setWeights(layer.weights.map((weight) => weight.read()));
        const expected = gradients(plain, tensors, outputs);
        close(got.output, expected.output, 2e-6, "output");
        for (const [index, gradient] of expected.all.entries()) {
          if (index !== keyBias) close(got.all[index], gradient, 1e-5, `gradient ${index}`);
        }
      });
    });
  }

  test(`${backend}: a query that sees no key gets the output's bias, and no gradient`, async () => {
    await use(backend);
    tf.tidy(() => {
      const layer = new MultiHeadAttention({ numHeads, keyDim, attentionMask: true });
      const x = numbers([1, L, E], 1);
      const mask = tf.zeros([1, L]);
      const output = layer.apply([x, mask]) as tf.Tensor;
      layer.setWeights(layer.weights.map(({ shape }, at) => numbers(shape as number[], at + 20)));
      const bias = layer.weights[7].read().dataSync();
      assert.ok(output.dataSync().every(Number.isFinite));
      const after = (layer.apply([x, mask]) as tf.Tensor).dataSync();
      for (const [index, value] of after.entries()) assert.equal(value, bias[index % E]);
      const gradient = tf.grad((given) => layer.apply([given, mask]) as tf.Tensor)(x);
      assert.ok(gradient.dataSync().every((value) => value === 0));
    });
  });

  test(`${backend}: dropout: in training only, by its seed, the same forward and backward`, async () => {
    await use(backend);
    tf.tidy(() => {
      const x = numbers([B, 32, E], 1);
      const args = { numHeads, keyDim, dropout: 0.25, seed: 3, returnAttentionScores: true };
      const [one, two] = [new MultiHeadAttention(args), new MultiHeadAttention(args)];
      const apply = (layer: layers.Layer, training: boolean) =>
        layer.apply(x, { training }) as tf.Tensor[];
      const [calm, calmWeights] = apply(one, false);
      apply(two, false);
      two.setWeights(one.getWeights());
      assert.ok(calmWeights.dataSync().every((weight) => weight > 0));
      const [first, firstWeights] = apply(one, true);
      assert.deepEqual(apply(two, true)[0].dataSync(), first.dataSync());
      assert.notDeepEqual(apply(one, true)[0].dataSync(), first.dataSync());
      assert.notDeepEqual(first.dataSync(), calm.dataSync());
      const dropped = firstWeights.dataSync().filter((weight) => weight === 0).length;
      const share = dropped / firstWeights.size;
      assert.ok(Math.abs(share - 0.25) < 0.03, `${share}`);
      // Along one direction of the value kernel the output is linear, so differences are exact.
      const fresh = () => {
        const layer = new MultiHeadAttention({ ...args, returnAttentionScores: false });
        layer.build(x.shape);
        layer.setWeights(one.getWeights());
        return layer;
      };
      const sum = (layer: layers.Layer) =>
        tf.sum(layer.apply(x, { training: true }) as tf.Tensor) as tf.Scalar;
      const layer = fresh();
      const kernel = layer.weights[4].read() as tf.Variable;
      const { grads, value } = tf.variableGrads(() => sum(layer), [kernel]);
      const direction = numbers(kernel.shape, 30);
      const moved = fresh();
      (moved.weights[4].read() as tf.Variable).assign(tf.add(kernel, direction));
      const expected = tf.sub(sum(moved), value).dataSync()[0];
      close(tf.sum(tf.mul(grads[kernel.name], direction)), [expected], 1e-3);
    });
  });
}
