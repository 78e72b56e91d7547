// The layer where it stands in models: after convolutions, inside a recurrent decoder, and over twenty
// steps of training, beside the same models with the layer in TensorFlow.js's operations.

import assert from "node:assert/strict";
import { test } from "node:test";
import * as tf from "@tensorflow/tfjs-core";
import {
  input,
  type LayersModel,
  layers,
  model,
  type SymbolicTensor,
} from "@tensorflow/tfjs-layers";
import { MultiHeadAttention } from "wasm-attention/tfjs";
import { backends, numbers, use } from "./backends";
import { close } from "./compare";
import "./relaxed";
import { AttentiveDecoder } from "./decoder";
import { PlainMultiHeadAttention } from "./plain-layer";

type Make = (attention: layers.Layer) => LayersModel;

/** The same model with either layer, with the same weights. */
function both(make: Make, args: { numHeads: number; keyDim: number }): LayersModel[] {
  const pair = [make(new MultiHeadAttention(args)), make(new PlainMultiHeadAttention(args))];
  pair[0].setWeights(pair[1].getWeights());
  return pair;
}

function loss(made: LayersModel, inputs: tf.Tensor[], target: tf.Tensor): tf.Scalar {
  const output = made.apply(inputs, { training: true }) as tf.Tensor;
  return tf.losses.meanSquaredError(target, output) as tf.Scalar;
}

/** Gradients by each weight: as with the other layer, and along one direction by finite differences. */
function checkGradients(pair: LayersModel[], inputs: tf.Tensor[], target: tf.Tensor): void {
  tf.tidy(() => {
    const [gradients, expected] = pair.map((made) => {
      const variables = made.trainableWeights.map((weight) => weight.read() as tf.Variable);
      const { grads, value } = tf.variableGrads(() => loss(made, inputs, target), variables);
      return { value, each: variables.map(({ name }) => grads[name]) };
    });
    close(gradients.value, expected.value, 1e-6, "loss");
    const largest = (x: tf.Tensor) => tf.max(tf.abs(x)).dataSync()[0];
    const scale = Math.max(...expected.each.map(largest));
    for (const [index, gradient] of expected.each.entries()) {
      const { originalName } = pair[0].trainableWeights[index];
      const got = gradients.each[index];
      assert.deepEqual(got.shape, gradient.shape);
      // A key bias shifts all scores of a query alike: its gradient is 0 but for rounding.
      if (originalName.endsWith("key/bias")) assert.ok(largest(got) < 1e-5 * scale);
      else close(got, gradient, 2e-5, originalName);
    }

    const [made] = pair;
    for (const [index, weight] of made.trainableWeights.entries()) {
      if (weight.originalName.endsWith("key/bias")) continue;
      const start = weight.read().clone();
      // The direction in which the loss grows most, so that the difference stands out of rounding.
      const gradient = gradients.each[index];
      const norm = tf.norm(gradient).dataSync()[0];
      const step = 0.02;
      const at = (sign: number) => {
        weight.write(tf.add(start, tf.mul(gradient, (sign * step) / norm)));
        return loss(made, inputs, target).dataSync()[0];
      };
      const slope = (at(1) - at(-1)) / (2 * step);
      weight.write(start);
      const bound = 0.02 * norm + 2e-5;
      assert.ok(Math.abs(slope - norm) < bound, `${weight.originalName}: ${slope}, not ${norm}`);
    }
  });
}

async function learns(made: LayersModel, inputs: tf.Tensor[], target: tf.Tensor): Promise<void> {
  made.compile({ optimizer: tf.train.adam(0.01), loss: "meanSquaredError" });
  const first = (await made.trainOnBatch(inputs, target)) as number;
  let last = first;
  for (let i = 0; i < 30; i++) last = (await made.trainOnBatch(inputs, target)) as number;
  assert.ok(last < 0.7 * first, `from ${first} to ${last}`);
}

/** 8 × 8 images → convolution → 6 · 6 positions that attend to each other → 3 classes. */
const afterConvolutions: Make = (attention) => {
  const image = input({ shape: [8, 8, 2] });
  const convolution = layers.conv2d({ filters: 8, kernelSize: 3, activation: "tanh" });
  const positions = layers.reshape({ targetShape: [36, 8] });
  let x = positions.apply(convolution.apply(image)) as SymbolicTensor;
  x = layers.add().apply([x, attention.apply(x) as SymbolicTensor]) as SymbolicTensor;
  x = layers.globalAveragePooling1d({}).apply(x) as SymbolicTensor;
  const outputs = layers.dense({ units: 3 }).apply(x) as SymbolicTensor;
  return model({ inputs: image, outputs });
};

// Convolutions learn on the cpu backend: the wasm one has no Conv2DBackpropFilter.
test("cpu: after convolutions: gradients of every weight, and it learns", async () => {
  await use("cpu");
  const pair = both(afterConvolutions, { numHeads: 2, keyDim: 4 });
  const [images, target] = [numbers([4, 8, 8, 2], 1), numbers([4, 3], 2)];
  checkGradients(pair, [images], target);
  await learns(pair[0], [images], target);
});

test("wasm: after convolutions: a model that has learnt runs", async () => {
  await use("wasm");
  const [ours, plain] = both(afterConvolutions, { numHeads: 2, keyDim: 4 });
  const images = numbers([4, 8, 8, 2], 1);
  close(ours.predict(images) as tf.Tensor, plain.predict(images) as tf.Tensor, 1e-5);
});

const decoder: Make = (attention) => {
  const [inputs, memory] = [input({ shape: [4, 3] }), input({ shape: [7, 5] })];
  const states = new AttentiveDecoder(attention, 6).apply([inputs, memory]) as SymbolicTensor;
  const outputs = layers.dense({ units: 2 }).apply(states) as SymbolicTensor;
  return model({ inputs: [inputs, memory], outputs });
};

for (const backend of backends) {
  test(`${backend}: inside a recurrent decoder: gradients of every weight, and it learns`, async () => {
    await use(backend);
    const pair = both(decoder, { numHeads: 2, keyDim: 4 });
    const given = [numbers([3, 4, 3], 1), numbers([3, 7, 5], 2)];
    const target = numbers([3, 4, 2], 3);
    checkGradients(pair, given, target);
    await learns(pair[0], given, target);
  });
}

test("wasm: the losses of twenty steps at n = 256, d_model 256 are those of the other layer", async () => {
  const attention = await use("wasm");
  const [n, size] = [256, 256];
  const make: Make = (layer) => {
    const x = input({ shape: [n, size] });
    const made = model({ inputs: x, outputs: layer.apply(x) as SymbolicTensor });
    made.compile({ optimizer: tf.train.adam(1e-3), loss: "meanSquaredError" });
    return made;
  };
  const pair = both(make, { numHeads: 4, keyDim: size / 4 });
  const [x, y] = [numbers([1, n, size], 1), numbers([1, n, size], 2)];
  const losses: number[][] = [];
  let before: object | undefined;
  for (let step = 0; step < 20; step++) {
    const each = [];
    for (const made of pair) each.push((await made.trainOnBatch(x, y)) as number);
    losses.push(each);
    const now = { tensors: tf.memory().numTensors, used: attention.memory.used };
    // Adam's moments are made in the first step.
    if (step > 0) assert.deepEqual(now, before, "nothing is left behind by a step");
    before = now;
  }
  for (const [ours, theirs] of losses) {
    assert.ok(Math.abs(ours - theirs) <= 1e-4 * theirs, `${ours}, not ${theirs}`);
  }
  assert.ok(losses[19][0] < 0.999 * losses[0][0], "it learns");
});
