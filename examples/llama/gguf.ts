// A Llama out of a GGUF file: sizes and tokens are among its metadata.

import { pick, type WeightFile } from "wasm-attention/weights";
import type { Checkpoint } from "./checkpoint";

export async function llamaOfGguf(file: WeightFile): Promise<Checkpoint> {
  const { metadata } = file;
  const said = (name: string) => {
    const value = metadata.get(name);
    if (value === undefined) throw new Error(`the file does not say ${name}`);
    return value;
  };
  const number = (name: string) => Number(said(`llama.${name}`));
  if (said("general.architecture") !== "llama") throw new Error("a model of another architecture");
  const pieces = said("tokenizer.ggml.tokens") as string[];
  const heads = number("attention.head_count");
  const size = number("embedding_length");
  if (Number(metadata.get("llama.rope.dimension_count") ?? size / heads) !== size / heads) {
    throw new Error("heads that turn in part are not read");
  }
  return {
    config: {
      size,
      heads,
      hidden: number("feed_forward_length"),
      layers: number("block_count"),
      keyValueHeads: Number(metadata.get("llama.attention.head_count_kv") ?? heads),
      vocabulary: pieces.length,
      epsilon: number("attention.layer_norm_rms_epsilon"),
      ropeBase: Number(metadata.get("llama.rope.freq_base") ?? 10000),
      pairing: "interleaved",
    },
    weights: await pick(file),
    tokens: {
      pieces: pieces.map((piece) => piece.replaceAll("▁", " ")),
      scores: said("tokenizer.ggml.scores") as number[],
    },
  };
}
