// Layers of the models of transformers with drawn weights by their names, and the same by our own.

import assert from "node:assert/strict";
import { type Tensor, tensor } from "wasm-attention";
import {
  decoderFromTransformers,
  encoderFromTransformers,
  type TransformerConfig,
  TransformerDecoderLayer,
  TransformerEncoderLayer,
  type TransformersModel,
} from "wasm-attention/blocks";
import { randomArray, type Whole } from "../engines";

const [E, H, HIDDEN] = [12, 16, 20];
export const heads = 4;

/** Ours to theirs; "…" is not there. `in,out` where theirs are transposed. */
export interface Named {
  readonly model: TransformersModel;
  readonly form: Omit<TransformerConfig, "heads">;
  readonly self: string | readonly string[];
  readonly cross?: readonly string[];
  readonly linear1: string;
  readonly gate?: string;
  readonly linear2: string;
  readonly norms: readonly string[];
  readonly order?: "in,out";
  /** Without biases; RMS norms have none in any case. */
  readonly plain?: true;
  readonly words?: readonly [string, string];
  /** Names that belong to the layer's file and not to the layer. */
  readonly besides?: readonly string[];
}

const stems = (stem: string, names: string) => names.split(" ").map((name) => stem + name);
const bert = (words?: readonly [string, string]): Named => ({
  model: "bert",
  form: { activation: "gelu", eps: 1e-12 },
  self: stems("attention.", "self.query self.key self.value output.dense"),
  linear1: "intermediate.dense",
  linear2: "output.dense",
  norms: ["attention.output.LayerNorm", "output.LayerNorm"],
  ...(words && { words }),
});
const bart = (decoder: boolean): Named => ({
  model: "bart",
  form: { activation: "gelu" },
  self: stems("self_attn.", "q_proj k_proj v_proj out_proj"),
  ...(decoder && { cross: stems("encoder_attn.", "q_proj k_proj v_proj out_proj") }),
  linear1: "fc1",
  linear2: "fc2",
  norms: [
    "self_attn_layer_norm",
    ...(decoder ? ["encoder_attn_layer_norm"] : []),
    "final_layer_norm",
  ],
});
const t5 = (decoder: boolean, gated: boolean): Named => {
  const dense = `layer.${decoder ? 2 : 1}.DenseReluDense.`;
  const activation = gated ? "gelu-tanh" : "relu";
  return {
    model: "t5",
    form: { activation, norm: "rmsNorm", normFirst: true, eps: 1e-6, scale: 1 },
    self: stems("layer.0.SelfAttention.", "q k v o"),
    ...(decoder && { cross: stems("layer.1.EncDecAttention.", "q k v o") }),
    ...(gated ? { linear1: `${dense}wi_1`, gate: `${dense}wi_0` } : { linear1: `${dense}wi` }),
    linear2: `${dense}wo`,
    norms: (decoder ? [0, 1, 2] : [0, 1]).map((i) => `layer.${i}.layer_norm`),
    plain: true,
    besides: ["layer.0.SelfAttention.relative_attention_bias.weight"],
  };
};
const llama = { activation: "silu", norm: "rmsNorm", normFirst: true, eps: 1e-6 } as const;
export const cases: Readonly<Record<string, Named>> = {
  BERT: bert(),
  "BERT of TensorFlow's checkpoints": bert([".gamma", ".beta"]),
  ViT: {
    model: "vit",
    form: { activation: "gelu", normFirst: true, eps: 1e-12 },
    self: stems("attention.", "attention.query attention.key attention.value output.dense"),
    linear1: "intermediate.dense",
    linear2: "output.dense",
    norms: ["layernorm_before", "layernorm_after"],
  },
  "timm's ViT": {
    model: "vit",
    form: { activation: "gelu", normFirst: true, eps: 1e-6 },
    self: "attn.qkv attn.proj",
    linear1: "mlp.fc1",
    linear2: "mlp.fc2",
    norms: ["norm1", "norm2"],
  },
  "BART's encoder": bart(false),
  "BART's decoder": bart(true),
  "T5's encoder": t5(false, false),
  "T5's decoder": t5(true, false),
  "T5 1.1's encoder": t5(false, true),
  "T5 1.1's decoder": t5(true, true),
  "GPT-2": {
    model: "gpt2",
    form: { activation: "gelu-tanh", normFirst: true },
    self: "attn.c_attn attn.c_proj",
    linear1: "mlp.c_fc",
    linear2: "mlp.c_proj",
    norms: ["ln_1", "ln_2"],
    order: "in,out",
    besides: ["attn.bias", "attn.masked_bias"],
  },
  Llama: {
    model: "llama",
    form: llama,
    self: stems("self_attn.", "q_proj k_proj v_proj o_proj"),
    linear1: "mlp.up_proj",
    gate: "mlp.gate_proj",
    linear2: "mlp.down_proj",
    norms: ["input_layernorm", "post_attention_layernorm"],
    plain: true,
    besides: ["self_attn.rotary_emb.inv_freq"],
  },
  "Llama in GGUF": {
    model: "llama",
    form: llama,
    self: stems("attn_", "q k v output"),
    linear1: "ffn_up",
    gate: "ffn_gate",
    linear2: "ffn_down",
    norms: ["attn_norm", "ffn_norm"],
    plain: true,
  },
};

const transposed = ({ data, dims: [outs, ins] }: Tensor) =>
  tensor(
    Float32Array.from(data, (_, k) => data[(k % outs) * ins + Math.floor(k / outs)]),
    [ins, outs],
  );
const stacked = (parts: readonly Tensor[]) =>
  tensor(Float32Array.from(parts.flatMap(({ data }) => [...data])), [
    parts.reduce((rows, { dims }) => rows + dims[0], 0),
    ...parts[0].dims.slice(1),
  ]);

/** The layer by our own constructor, and its weights by their names under a prefix. */
export function drawn(attention: Whole, named: Named, seed: number) {
  const dict = new Map<string, Tensor>();
  const prefix = "model.layers.3.";
  let at = seed;
  const random = (dims: readonly number[]) =>
    tensor(
      randomArray(
        dims.reduce((a, b) => a * b, 1),
        at++,
      ),
      dims,
    );
  const put = (name: string, value: Tensor) => dict.set(prefix + name, value);
  const matrix = (outs: number, ins: number) => {
    const bias = named.plain ? undefined : random([outs]);
    return { weight: random([outs, ins]), order: "out,in" as const, bias };
  };
  const putMatrix = (name: string, { weight, bias }: ReturnType<typeof matrix>) => {
    put(`${name}.weight`, named.order ? transposed(weight) : weight);
    if (bias) put(`${name}.bias`, bias);
  };
  const linear = (name: string, outs: number, ins: number) => {
    const made = matrix(outs, ins);
    putMatrix(name, made);
    return made;
  };
  const attend = (names: string | readonly string[]) => {
    const [query, key, value] = [0, 1, 2].map(() => matrix(H, E));
    const output = matrix(E, H);
    if (typeof names !== "string") {
      for (const [i, each] of [query, key, value, output].entries()) putMatrix(names[i], each);
    } else {
      const [packed, last] = names.split(" ");
      const three = [query, key, value];
      const bias = stacked(three.map((each) => each.bias as Tensor));
      putMatrix(packed, { ...query, weight: stacked(three.map(({ weight }) => weight)), bias });
      putMatrix(last, output);
    }
    return { query, key, value, output };
  };
  const [scale, shift] = named.words ?? [".weight", ".bias"];
  const norm = (name: string) => {
    const weight = random([E]);
    put(name + scale, weight);
    if (named.form.norm === "rmsNorm") return { weight };
    const bias = random([E]);
    put(name + shift, bias);
    return { weight, bias };
  };
  const [norm1, norm2, norm3] = named.norms.map(norm);
  const weights = {
    selfAttention: attend(named.self),
    linear1: linear(named.linear1, HIDDEN, E),
    ...(named.gate && { gate: linear(named.gate, HIDDEN, E) }),
    linear2: linear(named.linear2, E, HIDDEN),
    norm1,
    norm2,
  };
  const needed = [...dict.keys()];
  for (const name of named.besides ?? [])
    put(name, random(name === "attn.bias" ? [1, 1, 3, 3] : [1]));
  put("elsewhere", random([2]));
  dict.set("model.layers.30.fc1.weight", dict.get(`${prefix}elsewhere`) as Tensor);
  dict.delete(`${prefix}elsewhere`);
  const config = { heads, ...named.form };
  const layer = named.cross
    ? new TransformerDecoderLayer(attention, config, {
        ...weights,
        crossAttention: attend(named.cross),
        norm3,
      })
    : new TransformerEncoderLayer(attention, config, weights);
  for (const name of dict.keys()) {
    const optional = /bias|beta|besides|inv_freq|layers\.30/.test(name);
    if (!optional && !needed.includes(name)) needed.push(name);
  }
  return { layer, dict, prefix, needed: needed.filter((name) => !/(bias|beta)$/.test(name)) };
}

const [x, memory] = [5, 7].map((rows) => tensor(randomArray(2 * rows * E, rows, 2), [2, rows, E]));

const forward = (of: TransformerEncoderLayer | TransformerDecoderLayer) =>
  of instanceof TransformerDecoderLayer ? of.forward(x, memory) : of.forward(x);

/** The same bits as by our own names, from an object and a Map, and what is given besides counts. */
export function checkNamedLayer(attention: Whole, named: Named): void {
  const { layer, dict, prefix } = drawn(attention, named, 1);
  const config = { model: named.model, heads, prefix };
  const make = named.cross ? decoderFromTransformers : encoderFromTransformers;
  for (const given of [dict, Object.fromEntries(dict)]) {
    using made = make(attention, given, config);
    assert.deepEqual(forward(made).output, forward(layer).output);
  }
  const [one, another] = (["relu", "silu"] as const).map((activation) => {
    using made = make(attention, dict, { ...config, activation });
    return forward(made).output.data;
  });
  assert.notDeepEqual(one, another);
  layer.dispose();
}
