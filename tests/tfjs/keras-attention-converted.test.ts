// Models with Keras's Attention and AdditiveAttention as its converter writes them.

import assert from "node:assert/strict";
import { test } from "node:test";
import * as tf from "@tensorflow/tfjs-core";
import { loadLayersModel } from "@tensorflow/tfjs-layers";
import {
  AdditiveAttention,
  Attention,
  fromKeras,
  type KerasAttentionArguments,
} from "wasm-attention/tfjs";
import { numbers, use } from "./backends";
import "./relaxed";

const [B, L, S, D] = [2, 5, 4, 6];

const place = (name: string, keywords?: object) => [name, 0, 0, keywords ?? {}];
const shapes: Record<string, number[]> = { q: [L, D], v: [S, D], qm: [L], vm: [S] };

/** As tf.keras 2 writes `layer(inputs, **keywords)`, each input with the keywords. */
const topology = (
  config: Record<string, unknown>,
  keywords: object,
  inputs = ["q", "v"],
  className = "Attention",
) => ({
  keras_version: "2.15.0",
  backend: "tensorflow",
  model_config: {
    class_name: "Functional",
    config: {
      name: "model",
      layers: [
        ...Object.entries(shapes).map(([name, shape]) => ({
          class_name: "InputLayer",
          config: { batch_input_shape: [null, ...shape], dtype: "float32", name },
          name,
          inbound_nodes: [],
        })),
        {
          class_name: className,
          config: { name: "a", trainable: true, dtype: "float32", dropout: 0.0, ...config },
          name: "a",
          inbound_nodes: [inputs.map((name) => place(name, keywords))],
        },
      ],
      input_layers: Object.keys(shapes).map((name) => [name, 0, 0]),
      output_layers: [["a", 0, 0]],
    },
  },
});

test("models of Keras: keywords become inputs and arguments", async () => {
  await use("cpu");
  const [q, v] = [numbers([B, L, D], 1), numbers([B, S, D], 2)];
  const masks = [
    tf.tensor2d([1, 1, 0, 1, 1, 1, 0, 1, 1, 1], [B, L]),
    tf.tensor2d([1, 0, 1, 1, 1, 1, 1, 0], [B, S]),
  ];
  const load = (modelTopology: object) =>
    loadLayersModel(fromKeras(tf.io.fromMemory({ modelTopology })), { strict: false });
  const same = async (modelTopology: object, args: KerasAttentionArguments, more: tf.Tensor[]) => {
    const got = (await load(modelTopology)).predict([q, v, ...masks]) as tf.Tensor;
    const expected = new Attention(args).apply([q, v, ...more]) as tf.Tensor;
    assert.deepEqual(got.dataSync(), expected.dataSync());
  };
  const concat = { use_scale: true, score_mode: "concat" } as const;
  await same(topology(concat, {}), concat, []);
  await same(topology(concat, { use_causal_mask: true }), { ...concat, use_causal_mask: true }, []);
  // Before Keras 2.10.
  await same(topology({ causal: true, use_scale: false }, {}), { use_causal_mask: true }, []);
  await same(topology({ causal: false }, {}), {}, []);
  const both = { mask: [place("qm"), place("vm")].map((list) => list.slice(0, 3)) };
  await same(topology({}, both), { query_mask: true, value_mask: true }, masks);
  const ofValue = { mask: [null, ["vm", 0, 0]], training: null };
  await same(topology({}, ofValue), { value_mask: true }, [masks[1]]);
  await same(topology({}, { mask: null }), {}, []);
  await same(topology({}, { mask: [["qm", 0, 0], null, null] }), { query_mask: true }, [masks[0]]);
  const additive = await load(
    topology({ use_scale: false }, both, ["q", "v"], "AdditiveAttention"),
  );
  const expected = new AdditiveAttention({ useScale: false, queryMask: true, valueMask: true });
  assert.deepEqual(
    (additive.predict([q, v, ...masks]) as tf.Tensor).dataSync(),
    (expected.apply([q, v, ...masks]) as tf.Tensor).dataSync(),
  );

  const refuses = (modelTopology: object, argument: string, message: RegExp) =>
    assert.rejects(load(modelTopology), { name: "ArgumentError", argument, message });
  await refuses(topology({}, { training: true }), "a: training", /no such keyword, got true/);
  await refuses(topology({}, { mask: ["qm", 0, 0] }), "a: mask", /\[query_mask, value_mask\]/);
  await refuses(
    topology({}, { mask: [["qm", 0, 0]] }),
    "a: mask",
    /each null or \[layer, node, tensor\]/,
  );
  await refuses(
    topology({ value_mask: true }, both),
    "a: mask",
    /beside query_mask or value_mask: true/,
  );
  const twice = topology({}, {});
  const nodes = twice.model_config.config.layers[4].inbound_nodes as unknown[];
  nodes.push(["q", "v"].map((name) => place(name, { use_causal_mask: true })));
  await refuses(twice, "a", /the same keywords at every call/);
});
