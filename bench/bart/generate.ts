// What both ways to run a BART have: a pass of the encoder, and steps of the decoder.

import type { Tensor } from "wasm-attention";

export interface Bart {
  /** Tokens of a source → its memory [1, n, size]. */
  encode(ids: readonly number[]): Tensor;
  begin(memory: Tensor): Writing;
  dispose(): void;
}

/** A text that is being written. */
export interface Writing {
  /** One more token → logits [vocabulary] of what follows it. */
  next(id: number): Float32Array;
  dispose(): void;
}

/** BART's `decoder_start_token_id`. */
const FIRST = 2;

/** Writes so many tokens, each the likeliest; the logits of the last. */
export function write(bart: Bart, memory: Tensor, count: number): Float32Array {
  const writing = bart.begin(memory);
  let logits = new Float32Array(0) as Float32Array;
  for (let id = FIRST, i = 0; i < count; i++) {
    logits = writing.next(id);
    id = likeliest(logits);
  }
  writing.dispose();
  return logits;
}

function likeliest(logits: Float32Array): number {
  let best = 0;
  for (let i = 1; i < logits.length; i++) if (logits[i] > logits[best]) best = i;
  return best;
}
