// Models as Keras's converter writes them.

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
import { kerasWeights, saved, topology } from "./keras-model";
import "./relaxed";
import { layer as exact, type Sequence } from "./reference";

const [B, L, S, E, F, numHeads, keyDim] = [2, 5, 4, 6, 7, 2, 3];

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
