// The sentence encoder with an engine of its own.

import { createAttention } from "wasm-attention";
import { SentenceEncoder } from "./encoder";
import { readModelFile } from "./files";

export async function createEncoder(): Promise<SentenceEncoder> {
  return SentenceEncoder.load(await createAttention({ reproducible: true }), readModelFile);
}
