// Models that are saved and loaded.

import assert from "node:assert/strict";
import { test } from "node:test";
import * as tf from "@tensorflow/tfjs-core";
import {
  input,
  type LayersModel,
  loadLayersModel,
  model,
  type SymbolicTensor,
} from "@tensorflow/tfjs-layers";
import { MultiHeadAttention } from "wasm-attention/tfjs";
import { numbers, use } from "./backends";
import { saved } from "./keras-model";
import "./relaxed";

const [B, L, S, E, F, numHeads, keyDim] = [2, 5, 4, 6, 7, 2, 3];

test("a model is saved and loaded: the same outputs, and the same steps of training", async () => {
  await use("wasm");
  const [x, memory, mask] = [
    input({ shape: [L, E] }),
    input({ shape: [S, F] }),
    input({ shape: [S] }),
  ];
  const self = new MultiHeadAttention({ numHeads, keyDim, useCausalMask: true, name: "self" });
  const cross = new MultiHeadAttention({
    numHeads,
    keyDim,
    valueDim: 5,
    outputShape: 8,
    attentionAxes: 1,
    attentionMask: true,
    kernelRegularizer: "l1l2",
    name: "cross",
  });
  const inner = self.apply(x) as SymbolicTensor;
  const outputs = cross.apply([inner, memory, mask]) as SymbolicTensor;
  const made = model({ inputs: [x, memory, mask], outputs });
  const given = [
    numbers([B, L, E], 1),
    numbers([B, S, F], 2),
    tf.cast(tf.greater(numbers([B, S], 3), 0), "float32"),
  ];
  const artifacts = await saved(made);
  const again = await loadLayersModel(tf.io.fromMemory(structuredClone(artifacts)));
  const layer = again.getLayer("cross");
  assert.ok(layer instanceof MultiHeadAttention);
  assert.deepEqual(layer.getConfig(), cross.getConfig());
  const predict = (of: LayersModel) => (of.predict(given) as tf.Tensor).dataSync();
  assert.deepEqual(predict(again), predict(made));
  const target = numbers([B, L, 8], 4);
  for (const of of [made, again]) of.compile({ optimizer: "sgd", loss: "meanSquaredError" });
  const losses = await Promise.all([made, again].map((of) => of.trainOnBatch(given, target)));
  assert.deepEqual(losses[1], losses[0]);
  assert.deepEqual(predict(again), predict(made));
});

test("what is written down: Keras's class and names", async () => {
  await use("cpu");
  const x = input({ shape: [L, E] });
  const layer = new MultiHeadAttention({ num_heads: numHeads, key_dim: keyDim, name: "attention" });
  const made = model({ inputs: x, outputs: layer.apply(x) as SymbolicTensor });
  const { modelTopology, weightSpecs } = await saved(made);
  const { config } = modelTopology as { config: { layers: Record<string, unknown>[] } };
  const [, written] = config.layers;
  assert.equal(written.class_name, "MultiHeadAttention");
  assert.deepEqual(written.config, {
    num_heads: 2,
    key_dim: 3,
    value_dim: 3,
    dropout: 0,
    seed: null,
    use_bias: true,
    output_shape: null,
    attention_axes: null,
    use_causal_mask: false,
    return_attention_scores: false,
    attention_mask: null,
    kernel_initializer: {
      class_name: "VarianceScaling",
      config: { scale: 1, mode: "fan_avg", distribution: "uniform", seed: null },
    },
    bias_initializer: { class_name: "Zeros", config: {} },
    kernel_regularizer: null,
    bias_regularizer: null,
    kernel_constraint: null,
    bias_constraint: null,
    name: "attention",
    trainable: true,
  });
  assert.deepEqual(
    weightSpecs?.map(({ name }) => name),
    ["query", "key", "value", "attention_output"].flatMap((name) => [
      `attention/${name}/kernel`,
      `attention/${name}/bias`,
    ]),
  );
});

/** As tf.keras 2.15's `get_config` gives it, with what its `build` noted. */
