// One question about one picture: how likely each answer is, and where each word looks.

import type { Attention, Tensor } from "wasm-attention";
import { softmax } from "wasm-attention/blocks";
import { picturesOf } from "./course";
import { acrossOf, type Seeing } from "./model";
import { pack } from "./rows";
import type { Words } from "./words";

export interface Look {
  /** The words, and the question mark. */
  readonly words: readonly string[];
  /** The likeliest first. */
  readonly answers: readonly { readonly name: string; readonly probability: number }[];
  /** Of each layer [heads, words, patches]. */
  readonly weights: readonly Tensor[];
}

/** A model with the words it knows and the answers it has. */
export interface Reader {
  readonly model: Seeing;
  readonly words: Words;
  readonly answers: readonly string[];
}

/** @throws UnaskableQuestion */
export function look(
  attention: Attention<"blocks">,
  { model, words, answers }: Reader,
  pixels: Uint8Array,
  question: string,
): Look {
  const asked = pack([[words.encode(question)]]);
  const seen = model.forward(picturesOf([pixels], model.shape), asked, { weights: true });
  const { data } = softmax(attention, seen.logits);
  const likely = answers.map((name, i) => ({ name, probability: data[i] }));
  return {
    words: words.split(question),
    answers: likely.sort((a, b) => b.probability - a.probability),
    weights: seen.weights.map(({ data, dims }) => ({ data, dims: dims.slice(1) })),
  };
}

/** Where each word looks, the mean over heads of one layer or of all: [words][patches]. */
export function meanOf(weights: readonly Tensor[]): Float32Array[] {
  const [heads, words, patches] = weights[0].dims;
  return Array.from({ length: words }, (_, word) => {
    const mean = new Float32Array(patches);
    for (const { data } of weights)
      for (let head = 0; head < heads; head++) {
        const at = (head * words + word) * patches;
        for (let i = 0; i < patches; i++) mean[i] += data[at + i] / (heads * weights.length);
      }
    return mean;
  });
}

export const patchesAcross = ({ shape }: Seeing) => acrossOf(shape);
