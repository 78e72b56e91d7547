// What the model needs of a file, whatever its format: sizes, weights by GGUF's names, and the tokens.

import type { Tensor } from "wasm-attention";

export interface LlamaConfig {
  readonly size: number;
  readonly hidden: number;
  readonly layers: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly vocabulary: number;
  /** Of the root mean square normalisation. */
  readonly epsilon: number;
  readonly ropeBase: number;
  /** Which dimensions turn together: (2i, 2i + 1), or (i, i + half) as Hugging Face orders the rows. */
  readonly pairing: "interleaved" | "half";
}

/** Pieces of text by id, and how early each is merged: the highest score first. */
export interface Tokens {
  readonly pieces: readonly string[];
  readonly scores: readonly number[];
}

export interface Checkpoint {
  readonly config: LlamaConfig;
  /** Matrices are [out, in]. Without `output.weight` the embedding is used for it. */
  readonly weights: ReadonlyMap<string, Tensor>;
  readonly tokens?: Tokens | undefined;
}

/** Of a checkpoint, or an error that names what it lacks. */
export function weightOf({ weights }: Checkpoint, name: string): Tensor {
  const found = weights.get(name);
  if (!found) throw new Error(`the checkpoint has no ${name}`);
  return found;
}
