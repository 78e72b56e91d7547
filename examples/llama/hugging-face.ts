// A Llama as transformers saves it: safetensors, by other names, and its config.json. The rows of the query and
// key matrices are in another order, for dimensions (i, i + half) to turn together.

import { pick, type WeightFile } from "wasm-attention/weights";
import type { Checkpoint } from "./checkpoint";

/** What is read of config.json. */
export interface LlamaConfigFile {
  readonly hidden_size: number;
  readonly intermediate_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  readonly num_key_value_heads?: number;
  readonly vocab_size: number;
  readonly rms_norm_eps: number;
  readonly rope_theta?: number;
}

const NAMES: readonly (readonly [RegExp, string])[] = [
  [/^model\.layers\.(\d+)\./, "blk.$1."],
  [/self_attn\.o_proj/, "attn_output"],
  [/self_attn\.([qkv])_proj/, "attn_$1"],
  [/mlp\.(gate|up|down)_proj/, "ffn_$1"],
  [/input_layernorm/, "attn_norm"],
  [/post_attention_layernorm/, "ffn_norm"],
  [/^model\.embed_tokens/, "token_embd"],
  [/^model\.norm/, "output_norm"],
  [/^lm_head/, "output"],
];

export async function llamaOfSafetensors(
  file: WeightFile,
  config: LlamaConfigFile,
): Promise<Checkpoint> {
  const weights = [...(await pick(file))].map(
    ([name, value]) =>
      [NAMES.reduce((word, [from, to]) => word.replace(from, to), name), value] as const,
  );
  return {
    config: {
      size: config.hidden_size,
      hidden: config.intermediate_size,
      layers: config.num_hidden_layers,
      heads: config.num_attention_heads,
      keyValueHeads: config.num_key_value_heads ?? config.num_attention_heads,
      vocabulary: config.vocab_size,
      epsilon: config.rms_norm_eps,
      ropeBase: config.rope_theta ?? 10000,
      pairing: "half",
    },
    weights: new Map(weights),
  };
}
