// A model as Keras's converter writes it, and one as TensorFlow.js saves it.

import assert from "node:assert/strict";
import { numbers } from "./backends";
import "./relaxed";
import * as tf from "@tensorflow/tfjs-core";
import type { LayersModel } from "@tensorflow/tfjs-layers";

const [, L, S, E, F, numHeads, keyDim] = [2, 5, 4, 6, 7, 2, 3];

const kerasConfig = (name: string, query: number[], value: number[]) => ({
  name,
  trainable: true,
  dtype: "float32",
  num_heads: numHeads,
  key_dim: keyDim,
  value_dim: keyDim,
  dropout: 0.1,
  use_bias: true,
  output_shape: null,
  attention_axes: [1],
  kernel_initializer: {
    module: "keras.initializers",
    class_name: "GlorotUniform",
    config: { seed: null },
    registered_name: null,
  },
  bias_initializer: {
    module: "keras.initializers",
    class_name: "Zeros",
    config: {},
    registered_name: null,
  },
  kernel_regularizer: null,
  bias_regularizer: null,
  activity_regularizer: null,
  kernel_constraint: null,
  bias_constraint: null,
  query_shape: [null, ...query],
  key_shape: [null, ...value],
  value_shape: [null, ...value],
});

const inputLayer = (name: string, shape: number[]) => ({
  class_name: "InputLayer",
  config: {
    batch_input_shape: [null, ...shape],
    dtype: "float32",
    sparse: false,
    ragged: false,
    name,
  },
  name,
  inbound_nodes: [],
});

const attentionLayer = (config: { name: string }, inbound_nodes: unknown) => ({
  module: "keras.layers",
  class_name: "MultiHeadAttention",
  config,
  registered_name: null,
  name: config.name,
  inbound_nodes,
});

/** A model.json as tensorflowjs_converter writes it: mha(x, x, use_causal_mask=True), then mha(x, m, attention_mask=…). */
export const topology = () => ({
  keras_version: "2.15.0",
  backend: "tensorflow",
  model_config: {
    class_name: "Functional",
    config: {
      name: "model",
      trainable: true,
      layers: [
        inputLayer("input_1", [L, E]),
        inputLayer("input_2", [S, F]),
        inputLayer("input_3", [L, S]),
        attentionLayer(kerasConfig("multi_head_attention", [L, E], [L, E]), [
          [["input_1", 0, 0, { value: ["input_1", 0, 0], use_causal_mask: true }]],
        ]),
        attentionLayer(kerasConfig("multi_head_attention_1", [L, E], [S, F]), [
          [
            [
              "multi_head_attention",
              0,
              0,
              { value: ["input_2", 0, 0], attention_mask: ["input_3", 0, 0], training: null },
            ],
          ],
        ]),
      ],
      input_layers: [
        ["input_1", 0, 0],
        ["input_2", 0, 0],
        ["input_3", 0, 0],
      ],
      output_layers: [["multi_head_attention_1", 0, 0]],
    },
  },
});

/** The weights under the names that Keras gives them, without its ":0" as the converter leaves them. */
export function kerasWeights() {
  const of = (layer: string, value: number) =>
    Object.entries({
      query: [
        [E, numHeads, keyDim],
        [numHeads, keyDim],
      ],
      key: [
        [value, numHeads, keyDim],
        [numHeads, keyDim],
      ],
      value: [
        [value, numHeads, keyDim],
        [numHeads, keyDim],
      ],
      attention_output: [[numHeads, keyDim, E], [E]],
    }).flatMap(([name, [kernel, bias]]) => [
      { name: `${layer}/${name}/kernel`, shape: kernel },
      { name: `${layer}/${name}/bias`, shape: bias },
    ]);
  const specs = [...of("multi_head_attention", E), ...of("multi_head_attention_1", F)];
  const tensors = specs.map(({ shape }, at) => numbers(shape, at + 50));
  const data = new Float32Array(tensors.flatMap((x) => [...x.dataSync()]));
  return {
    weightSpecs: specs.map((spec) => ({ ...spec, dtype: "float32" as const })),
    weightData: data.buffer,
    float64: tensors.map((x) => ({ data: Float64Array.from(x.dataSync()), dims: x.shape })),
  };
}

export async function saved(made: LayersModel): Promise<tf.io.ModelArtifacts> {
  let saved: tf.io.ModelArtifacts | undefined;
  await made.save(
    tf.io.withSaveHandler(async (artifacts) => {
      saved = artifacts;
      return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: "JSON" } };
    }),
  );
  assert.ok(saved);
  return saved;
}
