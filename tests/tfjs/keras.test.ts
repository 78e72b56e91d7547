// Models that are saved and loaded, and models as Keras's converter writes them.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import * as tf from "@tensorflow/tfjs-core";
import {
  input,
  type LayersModel,
  loadLayersModel,
  model,
  type SymbolicTensor,
} from "@tensorflow/tfjs-layers";
import { fromKeras, MultiHeadAttention } from "wasm-attention/tfjs";
import { numbers, use } from "./backends";
import { close } from "./compare";
import "./relaxed";
import { layer as exact, type Sequence } from "./reference";

const [B, L, S, E, F, numHeads, keyDim] = [2, 5, 4, 6, 7, 2, 3];

async function saved(made: LayersModel): Promise<tf.io.ModelArtifacts> {
  let kept: tf.io.ModelArtifacts | undefined;
  await made.save(
    tf.io.withSaveHandler(async (artifacts) => {
      kept = artifacts;
      return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: "JSON" } };
    }),
  );
  assert.ok(kept);
  return kept;
}

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
const topology = () => ({
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
function kerasWeights() {
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

test("a model of Keras as its converter writes it: what float64 gives", async () => {
  await use("cpu");
  const { weightSpecs, weightData, float64 } = kerasWeights();
  const artifacts = { modelTopology: topology(), weightSpecs, weightData };
  const made = await loadLayersModel(fromKeras(tf.io.fromMemory(artifacts)));
  assert.deepEqual(artifacts.modelTopology, topology(), "the artifacts are not changed");
  const [x, memory] = [numbers([B, L, E], 1), numbers([B, S, F], 2)];
  const mask = tf.cast(tf.greater(numbers([B, L, S], 3), -0.5), "float32");
  const output = made.predict([x, memory, mask]) as tf.Tensor;

  const sequence = (of: tf.Tensor): Sequence => ({
    data: Float64Array.from(of.dataSync()),
    dims: of.shape as [number, number, number],
  });
  const given = sequence(x);
  const inner = exact([given, given, given], float64.slice(0, 8), (_b, _h, i, j) => j <= i);
  const [m, seen] = [sequence(memory), mask.dataSync()];
  const expected = exact(
    [inner, m, m],
    float64.slice(8),
    (b, _h, i, j) => seen[(b * L + i) * S + j] !== 0,
  );
  close(output, expected.data, 1e-6);

  // Loaded once, it is a model of TensorFlow.js: saved and loaded without any more ado, through
  // fromKeras too, which is no change to what it has made itself.
  const own = await saved(made);
  for (const source of [
    tf.io.fromMemory(own),
    fromKeras(tf.io.fromMemory(own)),
    fromKeras(fromKeras(tf.io.fromMemory(artifacts))),
    fromKeras(fromKeras(fromKeras(tf.io.fromMemory(own)))),
  ]) {
    const again = await loadLayersModel(source);
    assert.deepEqual((again.predict([x, memory, mask]) as tf.Tensor).dataSync(), output.dataSync());
  }
});

test("a model that TensorFlow.js has saved, through fromKeras: every argument is kept", async () => {
  await use("cpu");
  const [x, memory, mask] = [
    input({ shape: [L, E] }),
    input({ shape: [S, F] }),
    input({ shape: [S] }),
  ];
  const all = { numHeads, keyDim, returnAttentionScores: true };
  const self = new MultiHeadAttention({ ...all, useCausalMask: true, name: "self" });
  const cross = new MultiHeadAttention({ ...all, attentionMask: "keys", name: "cross" });
  const [inner] = self.apply(x) as SymbolicTensor[];
  const outputs = cross.apply([inner, memory, mask]) as SymbolicTensor[];
  const made = model({ inputs: [x, memory, mask], outputs });
  const artifacts = await saved(made);
  const again = await loadLayersModel(fromKeras(tf.io.fromMemory(structuredClone(artifacts))));
  for (const name of ["self", "cross"]) {
    assert.deepEqual(again.getLayer(name).getConfig(), made.getLayer(name).getConfig());
  }
  const given = [
    numbers([B, L, E], 1),
    numbers([B, S, F], 2),
    tf.tensor2d([
      [1, 0, 1, 1],
      [0, 1, 1, 0],
    ]),
  ];
  const predict = (of: LayersModel) => (of.predict(given) as tf.Tensor[]).map((y) => y.dataSync());
  assert.deepEqual(predict(again), predict(made));
});

test("the format of Keras 3 is named", async () => {
  await use("cpu");
  const history = (name: string) => ({
    class_name: "__keras_tensor__",
    config: { shape: [null, L, E], dtype: "float32", keras_history: [name, 0, 0] },
  });
  // As Keras 3's to_json gives it, and as its model.json has it.
  const written = {
    module: "keras.src.models.functional",
    class_name: "Functional",
    config: {
      name: "functional",
      trainable: true,
      layers: [
        {
          class_name: "InputLayer",
          config: { batch_shape: [null, L, E], name: "x" },
          name: "x",
          inbound_nodes: [],
        },
        {
          class_name: "MultiHeadAttention",
          config: { name: "mha", num_heads: numHeads, key_dim: keyDim },
          name: "mha",
          inbound_nodes: [
            { args: [history("x"), history("x")], kwargs: { use_causal_mask: true } },
          ],
        },
      ],
      input_layers: [["x", 0, 0]],
      output_layers: [["mha", 0, 0]],
    },
  };
  const sequential = { class_name: "Sequential", config: { name: "s", layers: [] } };
  for (const modelTopology of [
    written,
    { keras_version: "3.9.2", backend: "tensorflow", model_config: written },
    { keras_version: "3.0.0", backend: "tensorflow", model_config: sequential },
    { ...written, config: { ...written.config, layers: [{ ...written, inbound_nodes: [] }] } },
  ]) {
    await assert.rejects(loadLayersModel(fromKeras(tf.io.fromMemory({ modelTopology }))), {
      name: "ArgumentError",
      argument: "source",
      message: /^fromKeras: .*format of Keras 2.*tf_keras.* got one of Keras 3/,
    });
  }
});

test("a model of Keras at a URL", async (t) => {
  await use("cpu");
  const { weightSpecs, weightData } = kerasWeights();
  const files: Record<string, string | Uint8Array> = {
    "/model.json": JSON.stringify({
      format: "layers-model",
      generatedBy: "keras v2.15.0",
      convertedBy: "TensorFlow.js Converter v4.22.0",
      modelTopology: topology(),
      weightsManifest: [{ paths: ["group1-shard1of1.bin"], weights: weightSpecs }],
    }),
    "/group1-shard1of1.bin": new Uint8Array(weightData),
  };
  const server = createServer(({ url = "" }, response) => {
    response.writeHead(files[url] ? 200 : 404, {
      "content-type": url.endsWith(".json") ? "application/json" : "application/octet-stream",
    });
    response.end(files[url]);
  });
  t.after(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const made = await loadLayersModel(fromKeras(`http://127.0.0.1:${port}/model.json`));
  const artifacts = { modelTopology: topology(), weightSpecs, weightData };
  const other = await loadLayersModel(fromKeras(tf.io.fromMemory(artifacts)));
  const given = [numbers([B, L, E], 1), numbers([B, S, F], 2), tf.ones([B, L, S])];
  const [got, expected] = [made, other].map((of) => of.predict(given) as tf.Tensor);
  assert.deepEqual(got.dataSync(), expected.dataSync());
});

test("a model inside a model of Keras", async () => {
  await use("cpu");
  const { weightSpecs, weightData } = kerasWeights();
  const whole = topology().model_config;
  const names = ["input_1", "input_2", "input_3"];
  const outer = {
    class_name: "Functional",
    config: {
      name: "outer",
      layers: [
        ...whole.config.layers.slice(0, 3),
        {
          class_name: "Functional",
          config: whole.config,
          name: "model",
          inbound_nodes: [names.map((name) => [name, 0, 0, {}])],
        },
      ],
      input_layers: names.map((name) => [name, 0, 0]),
      output_layers: [["model", 1, 0]],
    },
  };
  const artifacts = { modelTopology: outer, weightSpecs, weightData };
  const made = await loadLayersModel(fromKeras(tf.io.fromMemory(artifacts)));
  const output = made.predict([
    numbers([B, L, E], 1),
    numbers([B, S, F], 2),
    tf.ones([B, L, S]),
  ]) as tf.Tensor;
  assert.deepEqual(output.shape, [B, L, E]);
});

test("Keras's calls that TensorFlow.js cannot express", async () => {
  await use("cpu");
  const load = (change: (made: ReturnType<typeof topology>) => void) => {
    const modelTopology = topology();
    change(modelTopology);
    return loadLayersModel(fromKeras(tf.io.fromMemory({ modelTopology })));
  };
  const nodes = (made: ReturnType<typeof topology>) =>
    made.model_config.config.layers[3].inbound_nodes as unknown[][][];
  await assert.rejects(
    load((made) => Object.assign(nodes(made)[0][0][3] as object, { training: true })),
    {
      name: "ArgumentError",
      message: 'fromKeras: "multi_head_attention: training" expected no such keyword, got true',
    },
  );
  await assert.rejects(
    load((made) => nodes(made).push([["input_1", 0, 0, { value: ["input_1", 0, 0] }]])),
    { name: "ArgumentError", argument: "multi_head_attention" },
  );
  await assert.rejects(
    load((made) => Object.assign(nodes(made)[0][0][3] as object, { key: 3 })),
    { name: "ArgumentError", argument: "multi_head_attention: key" },
  );
  await assert.rejects(
    load((made) => Object.assign(nodes(made)[0][0][3] as object, { training: 1 })),
    { name: "ArgumentError", argument: "multi_head_attention: training" },
  );
  // Two readings of one layer: a mask among its inputs already, and one by keyword.
  await assert.rejects(
    load((made) => {
      const [, , , , layer] = made.model_config.config.layers;
      Object.assign(layer.config, { attention_mask: true });
    }),
    { name: "ArgumentError", argument: /multi_head_attention_1: / as never },
  );
  assert.throws(() => fromKeras({}), { name: "ArgumentError", argument: "source" });
  // Without fromKeras it is refused, and not computed otherwise.
  await assert.rejects(loadLayersModel(tf.io.fromMemory({ modelTopology: topology() })), {
    name: "ArgumentError",
    argument: "value",
  });
});
