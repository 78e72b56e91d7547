// Keras's Attention and AdditiveAttention in models: their weights, what is saved, and what
// is refused.

import assert from "node:assert/strict";
import { test } from "node:test";
import * as tf from "@tensorflow/tfjs-core";
import {
  input,
  type LayersModel,
  layers,
  loadLayersModel,
  model,
  type SymbolicTensor,
} from "@tensorflow/tfjs-layers";
import { ArgumentError, createAttention } from "wasm-attention";
import { AdditiveAttention, Attention, fromKeras, registerAttention } from "wasm-attention/tfjs";
import { training } from "wasm-attention/training";
import { numbers, use } from "./backends";
import { saved } from "./keras-model";
import "./relaxed";

const [B, L, S, D] = [2, 5, 4, 6];

test("weights: Keras's names, shapes, order and first values", async () => {
  await use("cpu");
  const inputs = () => [input({ shape: [L, 300] }), input({ shape: [S, 300] })];
  const weightsOf = (layer: layers.Layer) => {
    const output = layer.apply(inputs()) as SymbolicTensor;
    assert.deepEqual(output.shape, [null, L, 300]);
    return layer.weights.map(({ originalName, shape }) => [originalName, shape]);
  };
  const name = "mine";
  assert.deepEqual(weightsOf(new Attention({ name })), []);
  const concat = new Attention({ name, use_scale: true, score_mode: "concat" });
  assert.deepEqual(weightsOf(concat), [
    ["mine/scale", []],
    ["mine/concat_score_weight", []],
  ]);
  assert.deepEqual(
    concat.getWeights().map((weight) => weight.dataSync()[0]),
    [1, 1],
  );
  const additive = new AdditiveAttention({ name });
  assert.deepEqual(weightsOf(additive), [["mine/scale", [300]]]);
  // Glorot's bound for one axis of 300, which receives and sends as many.
  const largest = Math.max(...additive.getWeights()[0].dataSync().map(Math.abs));
  assert.ok(largest <= 0.1 && largest > 0.095, `${largest}`);
  assert.deepEqual(weightsOf(new AdditiveAttention({ name, useScale: false })), []);
});

test("what is written down: Keras's classes and names; loaded, the same outputs and training", async () => {
  await use("wasm");
  const [x, memory] = [input({ shape: [L, D] }), input({ shape: [S, D] })];
  const [queryMask, valueMask] = [input({ shape: [L] }), input({ shape: [S] })];
  const masks = { queryMask: true, valueMask: true };
  const concat = new Attention({ scoreMode: "concat", useScale: true, ...masks, name: "concat" });
  const additive = new AdditiveAttention({ returnAttentionScores: true, name: "additive" });
  const mixed = concat.apply([x, memory, queryMask, valueMask]) as SymbolicTensor;
  const outputs = additive.apply([mixed, memory]) as SymbolicTensor[];
  assert.deepEqual(
    outputs.map(({ shape }) => shape),
    [
      [null, L, D],
      [null, L, S],
    ],
  );
  const made = model({ inputs: [x, memory, queryMask, valueMask], outputs: outputs[0] });
  const artifacts = await saved(made);
  const { config } = artifacts.modelTopology as { config: { layers: Record<string, unknown>[] } };
  const written = config.layers.slice(-2);
  assert.deepEqual(
    written.map(({ class_name }) => class_name),
    ["Attention", "AdditiveAttention"],
  );
  const shared = { dropout: 0, seed: null, use_causal_mask: false, trainable: true };
  assert.deepEqual(
    written.map(({ config }) => config),
    [
      {
        ...{ name: "concat", score_mode: "concat", use_scale: true, ...shared },
        ...{ return_attention_scores: false, query_mask: true, value_mask: true },
      },
      {
        ...{ name: "additive", use_scale: true, ...shared },
        ...{ return_attention_scores: true, query_mask: false, value_mask: false },
      },
    ],
  );
  const given = [
    numbers([B, L, D], 1),
    numbers([B, S, D], 2),
    tf.tensor2d([1, 1, 0, 1, 1, 1, 0, 1, 1, 1], [B, L]),
    tf.tensor2d([1, 0, 1, 1, 1, 1, 1, 0], [B, S]),
  ];
  const target = numbers([B, L, D], 3);
  const predict = (of: LayersModel) => (of.predict(given) as tf.Tensor).dataSync();
  const before = predict(made);
  for (const source of [
    tf.io.fromMemory(structuredClone(artifacts)),
    fromKeras(tf.io.fromMemory(structuredClone(artifacts))),
  ]) {
    const again = await loadLayersModel(source);
    assert.deepEqual(predict(again), before);
    for (const name of ["concat", "additive"])
      assert.deepEqual(again.getLayer(name).getConfig(), made.getLayer(name).getConfig());
  }
  const again = await loadLayersModel(tf.io.fromMemory(structuredClone(artifacts)));
  const losses = [];
  for (const of of [made, again]) {
    of.compile({ optimizer: tf.train.sgd(0.1), loss: "meanSquaredError" });
    losses.push([1, 2, 3].map(() => of.trainOnBatch(given, target)));
  }
  const [first, second] = await Promise.all(losses.map((all) => Promise.all(all)));
  assert.deepEqual(second, first);
  assert.ok((first[2] as number) < (first[0] as number), `${first}`);
  assert.notDeepEqual(predict(made), before);
});

function refuses(call: () => unknown, argument: string, message?: RegExp): void {
  assert.throws(call, (error) => {
    assert.ok(error instanceof ArgumentError, `${error}`);
    assert.equal(error.argument, argument);
    if (message) assert.match(error.message, message);
    return true;
  });
}

test("refused: arguments, inputs, keywords, masks of earlier layers", async () => {
  await use("cpu");
  for (const Class of [Attention, AdditiveAttention]) {
    const make = (args: object) => () => new Class(args);
    refuses(make(null as never), "args", /\{ useScale\?, /);
    refuses(make({ useScales: true }), "useScales", /the name "useScale"/);
    refuses(make({ use_scale: 1 }), "useScale", /a boolean, got 1/);
    refuses(make({ use_scale: true, useScale: false }), "use_scale", /one value with useScale/);
    refuses(make({ dropout: 1 }), "dropout");
    refuses(make({ seed: 0.5 }), "seed");
    refuses(
      make({ name: "mine", queryMask: "q" }),
      "queryMask",
      new RegExp(`^${Class.className} "mine"`),
    );
    refuses(make({ valueMask: 0 }), "valueMask");
    refuses(make({ useCausalMask: "upper" }), "useCausalMask");
    refuses(make({ returnAttentionScores: 1 }), "returnAttentionScores");
    refuses(make({ activityRegularizer: "l1l2" }), "activityRegularizer", /not supported/);
    const [q, v] = [numbers([B, L, D], 1), numbers([B, S, D], 2)];
    const on =
      (args: object, ...inputs: tf.Tensor[]) =>
      () =>
        new Class(args).apply(inputs);
    refuses(on({}, q), "inputs", /query, value and, unless it is the value, key .*, got 1 inputs/);
    refuses(on({}, q, v, v, v), "inputs", /with queryMask and valueMask: true\), got 4 inputs/);
    refuses(on({ valueMask: true }, q, v), "inputs", /key and a mask .*got 2 inputs/);
    const both = { queryMask: true, valueMask: true };
    refuses(on(both, q, v), "inputs", /key and two masks, got 2 inputs/);
    refuses(on({}, numbers([L, D], 1), v), "query.shape", /\[B, L, D\], got \[5, 6\]/);
    refuses(on({}, q, numbers([B + 1, S, D], 2)), "value.shape", /\[2, S, Dv\], got \[3, 4, 6\]/);
    refuses(on({}, q, numbers([B, S, D + 1], 2)), "key.shape", /\[2, 4, 6\], got \[2, 4, 7\]/);
    refuses(
      on({ valueMask: true }, q, v, tf.ones([B, L])),
      "valueMask.shape",
      /\[2, 4\], got \[2, 5\]/,
    );
    refuses(
      on({ queryMask: true }, q, v, tf.ones([B, S])),
      "queryMask.shape",
      /\[2, 5\], got \[2, 4\]/,
    );
    refuses(on({}, tf.cast(q, "int32"), v), "query.dtype", /float32, got int32/);
    refuses(on({}, q, [1] as never), "value", /a tensor of TensorFlow.js/);
    refuses(on({ valueMask: true }, q, v, tf.complex([1], [1])), "valueMask.dtype");
    const layer = new Class();
    refuses(() => layer.call([q, v]), "weights", /build\(shapes\) beforehand/);
    refuses(() => layer.apply([q, v], { use_causal_mask: true }), "use_causal_mask", /fromKeras/);
    refuses(() => layer.apply([q, v], { mask: [q, v] }), "mask", /masks are inputs/);
    refuses(() => layer.apply([q, v], { training: 1 }), "training", /a boolean, got 1/);
    const [x, y] = [input({ shape: [L, D] }), input({ shape: [S, D] })];
    refuses(() => new Class().apply([x, y], { mask: 1 }), "mask");
    refuses(() => new Class().apply([x, input({ shape: [S] })]), "value.shape");
    const masked = layers.masking({ maskValue: 0 }).apply(x) as SymbolicTensor;
    const outputs = new Class().apply([masked, y]) as SymbolicTensor;
    refuses(
      () => model({ inputs: [x, y], outputs }).predict([q, v]),
      "mask",
      /no mask from an earlier layer: .*queryMask or valueMask: true, got one of input 0/,
    );
  }
  refuses(() => new Attention({ scoreMode: "general" as never }), "scoreMode", /"dot" or "concat"/);
  refuses(() => new AdditiveAttention({ scoreMode: "dot" } as never), "scoreMode");
  const open = input({ shape: [null, null] });
  refuses(() => new AdditiveAttention().apply([open, open]), "query.shape", /a known last axis/);
  // Products need none: sizes may be open until a tensor comes.
  assert.deepEqual((new Attention().apply([open, open]) as SymbolicTensor).shape, [
    null,
    null,
    null,
  ]);
});

test("refused: an engine without variants, for scores by a tanh only; a loss on softmax's weights", async () => {
  const { used } = (await use("cpu")).memory;
  const without = await createAttention({ extensions: [training] });
  registerAttention(without);
  const [q, v] = [numbers([B, L, D], 1), numbers([B, S, D], 2)];
  new Attention().apply([q, v]);
  for (const layer of [new AdditiveAttention(), new Attention({ scoreMode: "concat" })])
    refuses(
      () => layer.apply([q, v]),
      "attention",
      /registerAttention\(await createAttention\({ extensions: \[training, variants\] }\)\) beforehand, got an engine without variants/,
    );
  without.dispose();
  const engine = await use("cpu");
  const returned = (Class: typeof Attention | typeof AdditiveAttention) => (x: tf.Tensor) =>
    tf.sum(tf.square((new Class({ returnAttentionScores: true }).apply([x, v]) as tf.Tensor[])[1]));
  refuses(() => tf.grad(returned(Attention) as never)(q), "weights", /only the output/);
  assert.ok(
    tf
      .grad(returned(AdditiveAttention) as never)(q)
      .dataSync()
      .some((x) => x !== 0),
  );
  assert.equal(engine.memory.used, used);
});
