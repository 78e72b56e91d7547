// A Llama (Touvron et al. 2023) out of a GGUF file: its sizes are among the file's metadata.

import { type Attention, linear, prepareLinear, type Tensor } from "wasm-attention";
import { embedding, encoderFromTransformers, rmsNorm } from "wasm-attention/blocks";
import { createCache } from "wasm-attention/cache";
import { pick, type WeightFile } from "wasm-attention/weights";

/** A text: it takes the ids of tokens, and gives logits [1, L, vocabulary] of what follows each. */
export async function llama(
  attention: Attention<"blocks" | "cache" | "positions">,
  file: WeightFile,
) {
  const said = (name: string) => Number(file.metadata.get(`llama.${name}`));
  const [heads, keyValueHeads] = [said("attention.head_count"), said("attention.head_count_kv")];
  const eps = said("attention.layer_norm_rms_epsilon");
  const rotary = { pairing: "interleaved", base: said("rope.freq_base") } as const;
  const headSize = said("embedding_length") / heads;
  const layers = Array.from({ length: said("block_count") }, async (_, i) => {
    const own = await pick(file, `blk.${i}.`);
    const config = { model: "llama", heads, keyValueHeads, eps } as const;
    const layer = encoderFromTransformers(attention, own, config);
    return { layer, cache: createCache(attention, { keyValueHeads, headSize, rotary }) };
  });
  const decoder = await Promise.all(layers);
  const table = await file.tensor("token_embd.weight");
  const weight = await file.tensor("output_norm.weight");
  const output = file.entries.has("output.weight") ? await file.tensor("output.weight") : table;
  const head = prepareLinear(attention, output, { order: "out,in" });
  return (ids: readonly number[]): Tensor => {
    const start = embedding(attention, table, { data: [...ids], dims: [1, ids.length] });
    const x = decoder.reduce((x, { layer, cache }) => layer.forward(x, { cache }).output, start);
    return linear(attention, rmsNorm(attention, x, { weight, eps }).output, head);
  };
}
