// What the layer is made with: its weights, what it returns, its axes and sizes.

import assert from "node:assert/strict";
import { test } from "node:test";
import * as tf from "@tensorflow/tfjs-core";
import { initializers, input, model, type SymbolicTensor } from "@tensorflow/tfjs-layers";
import { MultiHeadAttention, type MultiHeadAttentionArgs } from "wasm-attention/tfjs";
import { numbers, use } from "./backends";
import { close } from "./compare";
import "./relaxed";

const [B, L, S, E, F] = [2, 5, 4, 6, 7];
const [numHeads, keyDim] = [2, 3];

test("weights: Keras's names, shapes and order, Glorot's bounds by its fans", async () => {
  await use("cpu");
  const layer = new MultiHeadAttention({ numHeads: 2, keyDim: 3, valueDim: 4, name: "attention" });
  const output = layer.apply([
    input({ shape: [L, 5] }),
    input({ shape: [S, 7] }),
  ]) as SymbolicTensor;
  assert.deepEqual(output.shape, [null, L, 5]);
  assert.deepEqual(
    layer.weights.map(({ originalName, shape }) => [originalName, shape]),
    [
      ["attention/query/kernel", [5, 2, 3]],
      ["attention/query/bias", [2, 3]],
      ["attention/key/kernel", [7, 2, 3]],
      ["attention/key/bias", [2, 3]],
      ["attention/value/kernel", [7, 2, 4]],
      ["attention/value/bias", [2, 4]],
      ["attention/attention_output/kernel", [2, 4, 5]],
      ["attention/attention_output/bias", [5]],
    ],
  );
  for (const { read, shape, originalName } of layer.weights.map((weight) => ({
    read: weight.read(),
    shape: weight.shape as number[],
    originalName: weight.originalName,
  }))) {
    // Keras counts the first axis of three as a field that is received.
    const bound = shape.length === 3 ? Math.sqrt(6 / (shape[0] * (shape[1] + shape[2]))) : 0;
    const largest = Math.max(...read.dataSync().map(Math.abs));
    assert.ok(
      largest <= bound && largest >= bound * 0.7,
      `${originalName}: ${largest} of ${bound}`,
    );
  }
  assert.equal(layer.countParams(), 5 * 6 + 6 + 7 * 6 + 6 + 7 * 8 + 8 + 8 * 5 + 5);
  const bare = new MultiHeadAttention({ num_heads: 2, key_dim: 3, use_bias: false });
  bare.apply(numbers([1, L, 5], 1));
  assert.equal(bare.weights.length, 4);
});

test("returned weights: a second output of the model, each row sums to 1", async () => {
  await use("wasm");
  const layer = new MultiHeadAttention({ numHeads, keyDim, returnAttentionScores: true });
  const [x, memory] = [input({ shape: [L, E] }), input({ shape: [S, F] })];
  const outputs = layer.apply([x, memory]) as SymbolicTensor[];
  assert.deepEqual(
    outputs.map(({ shape }) => shape),
    [
      [null, L, E],
      [null, numHeads, L, S],
    ],
  );
  const made = model({ inputs: [x, memory], outputs });
  const given = [numbers([B, L, E], 1), numbers([B, S, F], 2)];
  const [output, weights] = made.predict(given) as tf.Tensor[];
  assert.deepEqual(weights.shape, [B, numHeads, L, S]);
  close(tf.sum(weights, -1), tf.ones([B, numHeads, L]), 1e-6);
  assert.deepEqual(output.shape, [B, L, E]);
});

test("more axes: those attended over are one sequence, those before are batches", async () => {
  await use("cpu");
  const [X, Y] = [3, 4];
  const x = numbers([B, X, Y, E], 1);
  const flat = tf.reshape(x, [B, X * Y, E]);
  const rows = tf.reshape(x, [B * X, Y, E]);
  const all = new MultiHeadAttention({ numHeads, keyDim });
  const whole = all.apply(x) as tf.Tensor;
  const same = (args: Partial<MultiHeadAttentionArgs>, given: tf.Tensor) => {
    const layer = new MultiHeadAttention({ numHeads, keyDim, ...args });
    layer.build(given.shape);
    layer.setWeights(all.getWeights());
    return (layer.apply(given) as tf.Tensor).dataSync();
  };
  assert.deepEqual(whole.shape, [B, X, Y, E]);
  assert.deepEqual(whole.dataSync(), same({}, flat));
  assert.deepEqual(whole.dataSync(), same({ attentionAxes: [-2, 1] }, x));
  assert.deepEqual(same({ attentionAxes: 2 }, x), same({}, rows));
  assert.deepEqual(same({ attentionAxes: [1] }, flat), same({}, flat));
});

test("output_shape: sizes of its own", async () => {
  await use("cpu");
  const layer = new MultiHeadAttention({ numHeads, keyDim, outputShape: [2, 3] });
  const output = layer.apply(numbers([B, L, E], 1)) as tf.Tensor;
  assert.deepEqual(output.shape, [B, L, 2, 3]);
  assert.deepEqual(layer.computeOutputShape([null, L, E]), [null, L, 2, 3]);
  assert.deepEqual(layer.weights[6].shape, [numHeads, keyDim, 2, 3]);
  assert.deepEqual(layer.weights[7].shape, [2, 3]);
});

test("regularizers and constraints reach the weights", async () => {
  await use("cpu");
  const layer = new MultiHeadAttention({
    numHeads,
    keyDim,
    kernelInitializer: "ones",
    kernelRegularizer: "l1l2",
    biasInitializer: initializers.constant({ value: 2 }),
    kernelConstraint: "nonNeg",
  });
  layer.apply(numbers([1, L, E], 1));
  const kernels = [0, 2, 4, 6].map((index) => layer.weights[index].read().size);
  const losses = layer.calculateLosses().map((loss) => loss.dataSync()[0]);
  close(
    losses,
    kernels.map((size) => size * 0.02),
    1e-6,
  );
  assert.ok(
    layer.weights[1]
      .read()
      .dataSync()
      .every((x) => x === 2),
  );
  layer.weights[0].write(tf.neg(layer.weights[0].read()));
  assert.ok(
    layer.weights[0]
      .read()
      .dataSync()
      .every((x) => x === 0),
  );
});
