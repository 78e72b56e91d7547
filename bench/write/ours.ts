// Our side: the examples' models, greedy, a token at a time.

import { createAttention } from "wasm-attention";
import { blocks } from "wasm-attention/blocks";
import { type CacheNumbers, cache } from "wasm-attention/cache";
import { positions } from "wasm-attention/positions";
import { Llama } from "../../examples/llama/llama";
import { readLlama2c } from "../../examples/llama/llama2c";
import { greedy } from "../../examples/write/sampling";
import { unpackModel } from "../../examples/write/weights";
import { Writer } from "../../examples/write/writer";

export type Name = "stories260K" | "Moby Dick";

/** Tokens after the first one. */
export const LENGTH = 256;

/** Generates them. */
export type Generate = () => Promise<number[]>;

/** Files by name: stories260K.bin, tok512.bin, model.safetensors. */
export type Files = Readonly<Record<string, Uint8Array>>;

export async function ours(name: Name, files: Files, numbers: CacheNumbers): Promise<Generate> {
  const attention = await createAttention({ extensions: [positions, cache, blocks] });
  const generate = (first: number, append: (id: number) => Float32Array) => {
    const ids = [first];
    while (ids.length <= LENGTH) ids.push(greedy(append(ids.at(-1) as number)));
    return ids.slice(1);
  };
  if (name === "Moby Dick") {
    const writer = new Writer(attention, await unpackModel(files["model.safetensors"]));
    const [first] = writer.model.vocabulary.encode("Call");
    return async () => {
      const texts = writer.begin(1, numbers);
      const ids = generate(first, (id) => texts.append([[id]]).logits.data);
      texts.dispose();
      return ids;
    };
  }
  const llama = new Llama(attention, readLlama2c(files["stories260K.bin"], files["tok512.bin"]));
  return async () => {
    const text = llama.begin(numbers);
    const ids = generate(1, (id) => text.append([id]).data);
    text.dispose();
    return ids;
  };
}
