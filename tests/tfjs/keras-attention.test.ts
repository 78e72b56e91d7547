// Keras's Attention and AdditiveAttention against their formulas in float64, with gradients by finite differences,
// and the values that Keras's own tests have.

import assert from "node:assert/strict";
import { test } from "node:test";
import * as tf from "@tensorflow/tfjs-core";
import type { layers } from "@tensorflow/tfjs-layers";
import { AdditiveAttention, type AdditiveAttentionArgs, Attention } from "wasm-attention/tfjs";
import { backends, numbers, use } from "./backends";
import { close } from "./compare";
import "./relaxed";
import { differences, type Sequence } from "./reference";
import { type KerasAttention, kerasAttention } from "./reference-keras-attention";

const [B, L, S, D, Dv] = [2, 5, 4, 6, 3];

interface Case {
  readonly mode: KerasAttention["mode"];
  readonly useScale: boolean;
}

const cases: Case[] = [
  { mode: "dot", useScale: false },
  { mode: "dot", useScale: true },
  { mode: "concat", useScale: false },
  { mode: "concat", useScale: true },
  { mode: "additive", useScale: false },
  { mode: "additive", useScale: true },
];

function make({ mode, useScale }: Case, more: Partial<AdditiveAttentionArgs> = {}): layers.Layer {
  if (mode === "additive") return new AdditiveAttention({ useScale, ...more });
  return new Attention({ useScale, scoreMode: mode, ...more });
}

const float64 = (x: tf.Tensor) => Float64Array.from(x.dataSync());
const sequence = (x: tf.Tensor): Sequence => ({
  data: float64(x),
  dims: x.shape as [number, number, number],
});
const dot = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).reduce((sum, x, i) => sum + x * b[i], 0);

for (const backend of backends)
  for (const c of cases)
    for (const masked of [false, true]) {
      const scaled = c.useScale ? ", scaled" : "";
      const how = masked ? ", causal with masks and a key" : "";
      test(`${backend}: ${c.mode}${scaled}${how}: output, weights, all gradients`, async () => {
        await use(backend);
        tf.tidy(() => {
          const layer = make(c, {
            returnAttentionScores: true,
            ...(masked && { useCausalMask: true, queryMask: true, valueMask: true }),
          });
          const shapes = masked
            ? [
                [B, L, D],
                [B, S, Dv],
                [B, S, D],
              ]
            : [
                [B, L, D],
                [B, S, D],
              ];
          const tensors = shapes.map((shape, at) => numbers(shape, at + 1));
          // The second batch's first query sees nothing.
          const masks = masked
            ? [
                tf.tensor2d([1, 1, 0, 1, 1, 1, 0, 1, 1, 1], [B, L]),
                tf.tensor2d([1, 0, 1, 1, 0, 1, 1, 0], [B, S]),
              ]
            : [];
          layer.build([...tensors, ...masks].map(({ shape }) => shape));
          layer.setWeights(
            layer.weights.map(({ shape }, at) => numbers(shape as number[], at + 20)),
          );
          const call = (...given: tf.Tensor[]) => layer.apply([...given, ...masks]) as tf.Tensor[];
          const [output, weights] = call(...tensors);

          const inputs = tensors.map(sequence);
          const variables = layer.weights.map((weight) => weight.read() as tf.Variable);
          const ofWeights = variables.map(float64);
          const exact = () =>
            kerasAttention({
              mode: c.mode,
              inputs: [inputs[0], inputs[1], inputs[2] ?? inputs[1]],
              scale: c.useScale ? ofWeights[0] : undefined,
              concatScoreWeight: c.mode === "concat" ? ofWeights.at(-1) : undefined,
              causal: masked,
              queryMask: masks[0]?.dataSync(),
              valueMask: masks[1]?.dataSync(),
            });
          const expected = exact();
          assert.deepEqual(output.shape, expected.output.dims);
          assert.deepEqual(weights.shape, expected.weights.dims);
          close(output, expected.output.data, 1e-6, "output");
          close(weights, expected.weights.data, 1e-6, "weights");

          // Losses on the weights too, where they have gradients.
          const [cs, ws] = [numbers(output.shape, 9), numbers(weights.shape, 10)];
          const ofOutput = c.mode === "dot" ? 0 : 1;
          const loss = (...given: tf.Tensor[]) => {
            const [y, p] = call(...given);
            const first = tf.sum(tf.mul(y, cs)) as tf.Scalar;
            return ofOutput ? (tf.add(first, tf.sum(tf.mul(p, ws))) as tf.Scalar) : first;
          };
          const { grads } = variables.length
            ? tf.variableGrads(() => loss(...tensors), variables)
            : { grads: {} as tf.NamedTensorMap };
          const got = [...tf.grads(loss)(tensors), ...variables.map(({ name }) => grads[name])];
          const exactLoss = () => {
            const { output, weights } = exact();
            return dot(output.data, cs.dataSync()) + ofOutput * dot(weights.data, ws.dataSync());
          };
          for (const [index, array] of [...inputs.map(({ data }) => data), ...ofWeights].entries())
            close(got[index], differences(array, exactLoss), 1e-5, `gradient ${index}`);
        });
      });
    }

for (const backend of backends) {
  test(`${backend}: the values of Keras's own tests`, async () => {
    await use(backend);
    const query = tf.tensor3d([1, 0, 0, 1], [1, 2, 2]);
    const key = tf.tensor3d([0, 1, 1, 0], [1, 2, 2]);
    const value = tf.tensor3d([1, 2, 3, 4], [1, 2, 2]);
    const ones = tf.ones([1, 2, 2]);
    const first = tf.tensor2d([1, 0], [1, 2]);
    const near = (got: tf.Tensor, expected: number[]) => {
      for (const [index, x] of got.dataSync().entries())
        assert.ok(Math.abs(x - expected[index]) < 1e-3, `${x} for ${expected[index]}`);
    };
    const scores = { returnAttentionScores: true };
    for (const [layer, output, weights] of [
      [new Attention(scores), [2.462, 3.462, 1.538, 2.538], [0.269, 0.731, 0.731, 0.269]],
      ...[
        new Attention({ ...scores, scoreMode: "concat" }),
        new AdditiveAttention({ ...scores, useScale: false }),
      ].map((layer) => [layer, [1.727, 2.727, 2.272, 3.272], [0.636, 0.363, 0.363, 0.636]]),
    ] as [layers.Layer, number[], number[]][]) {
      const got = layer.apply([query, value, key]) as tf.Tensor[];
      near(got[0], output);
      near(got[1], weights);
      const masked = make(
        { mode: layer instanceof AdditiveAttention ? "additive" : "dot", useScale: false },
        { ...scores, queryMask: true, valueMask: true },
      );
      const [seen, seenWeights] = masked.apply([query, ones, first, first]) as tf.Tensor[];
      near(seen, [1, 1, 0, 0]);
      near(seenWeights, [1, 0, 1, 0]);
    }
  });

  test(`${backend}: dropout: in training only, by its seed, the same forward and backward`, async () => {
    await use(backend);
    for (const mode of ["dot", "concat", "additive"] as const) {
      const [query, value, key] = [1, 2, 3].map((seed) => numbers([2, 32, D], seed));
      const args = { dropout: 0.25, seed: 3, returnAttentionScores: true };
      const apply = (layer: layers.Layer, training: boolean) =>
        layer.apply([query, value, key], { training }) as tf.Tensor[];
      const [one, two] = [
        make({ mode, useScale: false }, args),
        make({ mode, useScale: false }, args),
      ];
      const [calm, calmWeights] = apply(one, false);
      assert.ok(calmWeights.dataSync().every((weight) => weight > 0));
      const [first, weights] = apply(one, true);
      assert.deepEqual(apply(two, true)[0].dataSync(), first.dataSync(), mode);
      assert.notDeepEqual(apply(one, true)[0].dataSync(), first.dataSync(), mode);
      assert.notDeepEqual(first.dataSync(), calm.dataSync(), mode);
      const share = weights.dataSync().filter((weight) => weight === 0).length / weights.size;
      assert.ok(Math.abs(share - 0.25) < 0.04, `${mode}: ${share}`);
      // The weights that were kept are larger, and the output is made of what is returned.
      for (const [index, weight] of weights.dataSync().entries())
        if (weight) {
          const kept = calmWeights.dataSync()[index] / 0.75;
          assert.ok(Math.abs(weight - kept) < 1e-6, `${mode}: ${weight} for ${kept}`);
        }
      close(first, tf.matMul(weights, value), 1e-6, mode);
      // The output is linear in the value: the same weights are dropped on the way back.
      const sum = (of: layers.Layer, v: tf.Tensor) =>
        tf.sum((of.apply([query, v, key], { training: true }) as tf.Tensor[])[0]) as tf.Scalar;
      const slope = tf.grad((v: tf.Tensor) => sum(make({ mode, useScale: false }, args), v))(value);
      const direction = numbers(value.shape, 30);
      const [from, to] = [value, tf.add(value, direction)].map(
        (v) => sum(make({ mode, useScale: false }, args), v).dataSync()[0],
      );
      close(tf.sum(tf.mul(slope, direction)), [to - from], 1e-3, mode);
    }
  });

  test(`${backend}: what is masked does not take part, whatever it holds`, async () => {
    await use(backend);
    for (const [mode, training] of [
      ["dot", false],
      ["dot", true],
      ["additive", false],
      ["additive", true],
    ] as const) {
      const mask = tf.tensor2d([1, 1, 0], [1, 3], "bool");
      const value = (last: number) => tf.tensor3d([1, 2, 3, 4, last, last], [1, 3, 2]);
      const query = numbers([1, 4, 2], 1);
      const [got, expected] = [NaN, 0].map((last) => {
        const layer = make({ mode, useScale: false }, { valueMask: true, dropout: 0.3, seed: 1 });
        return layer.apply([query, value(last), mask], { training });
      });
      assert.deepEqual((got as tf.Tensor).dataSync(), (expected as tf.Tensor).dataSync());
    }
  });
}
