// Models of Keras as its converter writes them. Keras calls the layer as layer(query, value, key=…,
// attention_mask=…, use_causal_mask=…), and writes all but the query down as keywords of the node:
//
//   [["query", 0, 0, { "value": ["memory", 0, 0], "use_causal_mask": true }]]
//
// TensorFlow.js takes keywords for numbers and passes over them. Here they become inputs and arguments
// of the constructor:
//
//   [["query", 0, 0, {}], ["memory", 0, 0, {}]]      use_causal_mask: true in the configuration
//
// Attention and AdditiveAttention are called as layer([query, value, key], mask=[query_mask, value_mask], …), and
// each input of the node has the keywords.

import { io } from "@tensorflow/tfjs-core";
import { ArgumentError } from "wasm-attention";
import { describe } from "../errors";

const NAME = "fromKeras";

type Json = Record<string, unknown>;
type Place = [layer: string, node: number, tensor: number];
type Input = [...Place, Json?];

/**
 * Where a model of Keras is loaded from, its `MultiHeadAttention`, `Attention` and
 * `AdditiveAttention` layers made ready for TensorFlow.js: `loadLayersModel(fromKeras("https://…/model.json"))`. Models written by tf.keras
 * (Keras 2), by tensorflowjs_converter or as `model.to_json()` with weights; one that TensorFlow.js has
 * saved is loaded as it is.
 *
 * @throws ArgumentError, from loading, for a call that TensorFlow.js cannot express (a layer called
 * with different keywords, or with training fixed) and for the format of Keras 3.
 */
export function fromKeras(source: string | io.IOHandler): io.IOHandler {
  const handler = typeof source === "string" ? handlerOf(source) : source;
  if (typeof handler?.load !== "function") {
    throw new ArgumentError(NAME, "source", "a URL or a handler with load", describe(source));
  }
  return {
    async load() {
      const artifacts = await (handler as Required<io.IOHandler>).load();
      const modelTopology = structuredClone(artifacts.modelTopology) as Json;
      if (/^[3-9]\./.test(`${modelTopology.keras_version}`)) {
        refuseFormat(`of Keras ${modelTopology.keras_version}`);
      }
      visit(modelTopology.model_config ?? modelTopology);
      return { ...artifacts, modelTopology };
    },
  };
}

function refuseFormat(received: string): never {
  const expected =
    "the format of Keras 2, the only one that TensorFlow.js reads: build and save the model with" +
    " tf_keras (pip install tf_keras, TF_USE_LEGACY_KERAS=1)";
  throw new ArgumentError(NAME, "source", expected, `one ${received}`);
}

function handlerOf(url: string): io.IOHandler {
  return io.getLoadHandlers(url)[0] ?? io.http(url);
}

/** Rewrites every such layer of a model and of the models in it. */
function visit(model: unknown): void {
  const config = (model as { config?: Json } | null)?.config;
  if (!config || !Array.isArray(config.layers)) return;
  for (const layer of config.layers as Json[]) {
    const nodes = layer.inbound_nodes;
    if (Array.isArray(nodes) && !nodes.every(Array.isArray)) refuseFormat("of Keras 3");
    const inputs = inputsOfClass.get(layer.class_name);
    if (inputs) rewrite(layer, inputs);
    else visit(layer);
  }
}

/** What the keywords of a call say: its inputs, and arguments of the constructor. */
type ReadCall = (
  node: Input[],
  keywords: Json,
  config: Json,
) => { inputs: Input[]; settings: Json };

function rewrite(layer: Json, inputsOf: ReadCall): void {
  const config = layer.config as Json;
  // Before Keras 2.10 it was an argument of Attention's constructor.
  const { causal, ...own } = config;
  if (causal) own.use_causal_mask = true;
  const nodes = (layer.inbound_nodes ?? []) as Input[][];
  let first: string | undefined;
  let found: Json = {};
  for (const [index, node] of nodes.entries()) {
    const keywords = node[0]?.[3] ?? {};
    const { inputs, settings } = inputsOf(node, keywords, own);
    nodes[index] = inputs.map(([name, at, tensor]) => [name, at, tensor, {}]);
    const written = JSON.stringify({ ...byDefault, ...own, ...settings });
    first ??= written;
    if (first !== written) {
      const expected = "the same keywords at every call";
      throw new ArgumentError(NAME, `${config.name}`, expected, "others at another");
    }
    found = settings;
  }
  layer.config = { ...own, ...found };
}

/** What a call without keywords means. */
const byDefault = {
  use_causal_mask: false,
  return_attention_scores: false,
  attention_mask: false,
  query_mask: false,
  value_mask: false,
};

function refuse(config: Json, name: string, expected: string, given: unknown): never {
  throw new ArgumentError(NAME, `${config.name}: ${name}`, expected, describe(given));
}

function refuseOthers(config: Json, keywords: Json): void {
  for (const [name, given] of Object.entries(keywords)) {
    if (given !== null) refuse(config, name, "no such keyword", given);
  }
}

const given = (settings: Json): Json =>
  Object.fromEntries(Object.entries(settings).filter(([, value]) => (value ?? null) !== null));

const multiHead: ReadCall = (node, keywords, config) => {
  const { value, key, attention_mask, use_causal_mask, return_attention_scores, ...rest } =
    keywords;
  refuseOthers(config, rest);
  const inputs: Input[] = [...node];
  for (const [name, place] of Object.entries({ value, key, attention_mask })) {
    if (place === undefined || place === null) continue;
    if (!isPlace(place)) refuse(config, name, "[layer, node, tensor]", place);
    // TensorFlow.js's own: the last input is the mask already.
    if (config.attention_mask)
      refuse(config, name, "no keyword beside attention_mask: true", place);
    inputs.push(place);
  }
  const settings = given({ use_causal_mask, return_attention_scores });
  // Keras's calls have a value; what TensorFlow.js has saved, or this function made, has none.
  const isKeras = (value ?? null) !== null;
  return {
    inputs,
    settings: isKeras ? { ...settings, attention_mask: Boolean(attention_mask) } : settings,
  };
};

const singleHead: ReadCall = (node, keywords, config) => {
  const { mask, use_causal_mask, return_attention_scores, ...rest } = keywords;
  refuseOthers(config, rest);
  const settings = given({ use_causal_mask, return_attention_scores });
  if ((mask ?? null) === null) return { inputs: node, settings };
  const expected = "[query_mask, value_mask], each null or [layer, node, tensor]";
  if (!Array.isArray(mask) || mask.length < 2) refuse(config, "mask", expected, mask);
  // TensorFlow.js's own: the masks are inputs already. A third mask, of the key, does nothing in Keras.
  if (config.query_mask || config.value_mask)
    refuse(config, "mask", "no keyword beside query_mask or value_mask: true", mask);
  const masks = (mask as unknown[]).slice(0, 2).filter((place) => place !== null);
  if (!masks.every(isPlace)) refuse(config, "mask", expected, mask);
  const [query_mask, value_mask] = mask.map((place) => place !== null);
  return { inputs: [...node, ...masks], settings: { ...settings, query_mask, value_mask } };
};

const inputsOfClass: ReadonlyMap<unknown, ReadCall> = new Map([
  ["MultiHeadAttention", multiHead],
  ["Attention", singleHead],
  ["AdditiveAttention", singleHead],
]);

function isPlace(value: unknown): value is Place {
  return (
    Array.isArray(value) &&
    typeof value[0] === "string" &&
    Number.isInteger(value[1]) &&
    Number.isInteger(value[2])
  );
}
