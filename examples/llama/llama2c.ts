// llama2.c's files: seven int32 (size, hidden, layers, heads, key/value heads, vocabulary, longest text),
// then float32 matrices, all layers of a kind together; and its tokenizer.bin. A vocabulary below 0 says
// that the output has a matrix of its own.

import { type Tensor, tensor } from "wasm-attention";
import type { Checkpoint, Tokens } from "./checkpoint";

const HEADER = 7;

export function readLlama2c(bytes: Uint8Array, tokenizer?: Uint8Array): Checkpoint {
  if (bytes.length < HEADER * 4 || bytes.length % 4) throw new Error("no llama2.c checkpoint");
  const { buffer } = new Uint8Array(bytes);
  const [size, hidden, layers, heads, keyValueHeads, signed, longest] = new Int32Array(buffer);
  const floats = new Float32Array(buffer, HEADER * 4);
  const vocabulary = Math.abs(signed);
  const keyValueSize = (size / heads) * keyValueHeads;
  const weights = new Map<string, Tensor>();
  let at = 0;
  const take = (name: string, dims: readonly number[]) => {
    const count = dims.reduce((product, each) => product * each, 1);
    if (at + count > floats.length) throw new Error(`a llama2.c checkpoint that ends in ${name}`);
    weights.set(name, tensor(floats.slice(at, at + count), dims));
    at += count;
  };
  const takeEach = (name: string, dims: readonly number[]) => {
    for (let layer = 0; layer < layers; layer++) take(`blk.${layer}.${name}.weight`, dims);
  };
  take("token_embd.weight", [vocabulary, size]);
  takeEach("attn_norm", [size]);
  takeEach("attn_q", [size, size]);
  takeEach("attn_k", [keyValueSize, size]);
  takeEach("attn_v", [keyValueSize, size]);
  takeEach("attn_output", [size, size]);
  takeEach("ffn_norm", [size]);
  takeEach("ffn_gate", [hidden, size]);
  takeEach("ffn_down", [size, hidden]);
  takeEach("ffn_up", [hidden, size]);
  take("output_norm.weight", [size]);
  // Cosines and sines of older versions: computed, not read.
  at += (longest * size) / heads;
  if (signed < 0) take("output.weight", [vocabulary, size]);
  if (at !== floats.length) {
    throw new Error(`a llama2.c checkpoint of ${floats.length} numbers, not ${at}`);
  }
  return {
    config: {
      size,
      hidden,
      layers,
      heads,
      keyValueHeads,
      vocabulary,
      epsilon: 1e-5,
      ropeBase: 10000,
      pairing: "interleaved",
    },
    weights,
    tokens: tokenizer && readTokenizer(tokenizer, vocabulary),
  };
}

/** The longest piece in int32; for each a score in float32, its length in int32, its bytes. */
function readTokenizer(bytes: Uint8Array, vocabulary: number): Tokens {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = new TextDecoder();
  const pieces: string[] = [];
  const scores: number[] = [];
  let at = 4;
  for (let id = 0; id < vocabulary; id++) {
    scores.push(view.getFloat32(at, true));
    const length = view.getInt32(at + 4, true);
    at += 8 + length;
    if (length < 0 || at > bytes.length) throw new Error(`a tokenizer that ends in piece ${id}`);
    pieces.push(text.decode(bytes.subarray(at - length, at)));
  }
  return { pieces, scores };
}
