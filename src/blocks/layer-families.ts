// Where Hugging Face's transformers keeps the parameters of a layer in its state dicts, and the form of the
// layer that goes with them (huggingface/transformers, src/transformers/models). ViT's are timm's too, Llama's
// those of GGUF files.

import { dots, type Places } from "./layer-names";
import type { TransformerConfig, TransformersModel } from "./layer-options";

type Form = Omit<TransformerConfig, "heads" | "keyValueHeads">;

/** Places, and what of the form goes with them alone. */
type Found = Places & { readonly form?: Form };

interface Family {
  readonly form: Form;
  /** In every way that files have had it. */
  readonly encoder: readonly [Found, ...Found[]];
  readonly decoder?: readonly [Found, ...Found[]];
}

const four = (stem: string, [q, k, v, o]: readonly string[], output = stem) =>
  [`${stem}${q}`, `${stem}${k}`, `${stem}${v}`, `${output}${o}`] as const;
const named = { words: dots, order: "out,in" } as const;
const WORDS = ["query", "key", "value", "output.dense"];
const OUT_PROJ = ["q_proj", "k_proj", "v_proj", "out_proj"];

const bart = { ...named, self: four("self_attn.", OUT_PROJ), linear1: "fc1", linear2: "fc2" };
const BART_NORMS = ["self_attn_layer_norm", "encoder_attn_layer_norm", "final_layer_norm"];

/** The number of the feed-forward part among T5's sublayers; from version 1.1 on it has a gate. */
const t5 = (feed: number, cross?: Pick<Places, "cross">): readonly [Found, Found] => {
  const dense = `layer.${feed}.DenseReluDense`;
  const plain = {
    ...named,
    ...cross,
    self: four("layer.0.SelfAttention.", ["q", "k", "v", "o"]),
    linear1: `${dense}.wi`,
    linear2: `${dense}.wo`,
    norms: Array.from({ length: feed + 1 }, (_, i) => `layer.${i}.layer_norm`),
  };
  const gated = { linear1: `${dense}.wi_1`, gate: `${dense}.wi_0` };
  return [plain, { ...plain, ...gated, form: { activation: "gelu-tanh" } }];
};

const bert = {
  ...named,
  self: four("attention.self.", WORDS, "attention."),
  linear1: "intermediate.dense",
  linear2: "output.dense",
  norms: ["attention.output.LayerNorm", "output.LayerNorm"],
};
/** TensorFlow's words for norms, in old checkpoints. */
const bertOfTensorFlow = { ...bert, words: { ...dots, scale: ".gamma", shift: ".beta" } };

export const FAMILIES: Readonly<Record<TransformersModel, Family>> = {
  bert: {
    form: { activation: "gelu", eps: 1e-12 },
    encoder: [bert, bertOfTensorFlow],
  },
  vit: {
    form: { activation: "gelu", normFirst: true, eps: 1e-12 },
    encoder: [
      {
        ...named,
        self: four("attention.attention.", WORDS, "attention."),
        linear1: "intermediate.dense",
        linear2: "output.dense",
        norms: ["layernorm_before", "layernorm_after"],
      },
      {
        ...named,
        self: ["attn.qkv", "attn.proj"],
        linear1: "mlp.fc1",
        linear2: "mlp.fc2",
        norms: ["norm1", "norm2"],
        form: { eps: 1e-6 },
      },
    ],
  },
  bart: {
    form: { activation: "gelu" },
    encoder: [{ ...bart, norms: BART_NORMS.filter((_, i) => i !== 1) }],
    decoder: [{ ...bart, cross: four("encoder_attn.", OUT_PROJ), norms: BART_NORMS }],
  },
  t5: {
    form: { norm: "rmsNorm", normFirst: true, eps: 1e-6, scale: 1 },
    encoder: t5(1),
    decoder: t5(2, { cross: four("layer.1.EncDecAttention.", ["q", "k", "v", "o"]) }),
  },
  gpt2: {
    form: { activation: "gelu-tanh", normFirst: true },
    encoder: [
      {
        words: dots,
        order: "in,out",
        self: ["attn.c_attn", "attn.c_proj"],
        linear1: "mlp.c_fc",
        linear2: "mlp.c_proj",
        norms: ["ln_1", "ln_2"],
      },
    ],
  },
  llama: {
    form: { activation: "silu", norm: "rmsNorm", normFirst: true, eps: 1e-6 },
    encoder: [
      {
        ...named,
        self: four("self_attn.", ["q_proj", "k_proj", "v_proj", "o_proj"]),
        linear1: "mlp.up_proj",
        gate: "mlp.gate_proj",
        linear2: "mlp.down_proj",
        norms: ["input_layernorm", "post_attention_layernorm"],
      },
      {
        ...named,
        self: four("attn_", ["q", "k", "v", "output"]),
        linear1: "ffn_up",
        gate: "ffn_gate",
        linear2: "ffn_down",
        norms: ["attn_norm", "ffn_norm"],
      },
    ],
  },
};
