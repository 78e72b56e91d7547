// BERT (Devlin et al. 2019) as Hugging Face's transformers saves it: model.safetensors and config.json.

import type { Attention, Tensor } from "wasm-attention";
import { embedding, encoderFromTransformers, layerNorm } from "wasm-attention/blocks";
import { pick, type WeightFile } from "wasm-attention/weights";

type Config = Readonly<
  Record<"num_hidden_layers" | "num_attention_heads" | "layer_norm_eps", number>
>;

/** Token ids of a text → its last hidden states [1, L, E]. */
export async function bert(attention: Attention<"blocks">, file: WeightFile, config: Config) {
  const { num_hidden_layers: count, num_attention_heads: heads, layer_norm_eps: eps } = config;
  const tables = ["word", "position", "token_type"].map((name) => `${name}_embeddings.weight`);
  const names = [...tables, "LayerNorm.weight", "LayerNorm.bias"];
  const [words, positions, types, weight, bias] = await Promise.all(
    names.map((name) => file.tensor(`embeddings.${name}`)),
  );
  // A text alone is the first segment: that row of the third table is every token's.
  positions.data.forEach((value, i) => {
    positions.data[i] = value + types.data[i % types.dims[1]];
  });
  const layers = Array.from({ length: count }, async (_, i) => {
    const own = await pick(file, `encoder.layer.${i}.`);
    return encoderFromTransformers(attention, own, { model: "bert", heads, eps });
  });
  const encoder = await Promise.all(layers);
  return (ids: readonly number[]): Tensor => {
    const row = (table: Tensor, data: number[]) =>
      embedding(attention, table, { data, dims: [1, ids.length] });
    const residual = row(positions, [...ids.keys()]);
    const x = layerNorm(attention, row(words, [...ids]), { residual, weight, bias, eps }).output;
    return encoder.reduce((hidden, layer) => layer.forward(hidden).output, x);
  };
}
