// The layer beside the same one in operations of TensorFlow.js, and in float64 with gradients by
// finite differences, on both backends.

import assert from "node:assert/strict";
import { test } from "node:test";
import * as tf from "@tensorflow/tfjs-core";
import {
  initializers,
  input,
  type layers,
  model,
  type SymbolicTensor,
} from "@tensorflow/tfjs-layers";
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
