// One query over all documents. With vectors of length 1 a raw score is a cosine; the weights are
// their softmax, sharper with a greater scale.

import { tensor } from "wasm-attention";
import { embed, normalised } from "./embed.js";

/** The request as `request.js` has found it right. */
export function score(attention, { query, documents, sharpness }) {
  const vectors = [query, ...documents].map(vectorOf);
  const size = vectors[0].length;
  const keys = new Float32Array(documents.length * size);
  for (const [i, vector] of vectors.slice(1).entries()) keys.set(vector, i * size);
  const q = tensor(vectors[0], [1, size]);
  const k = tensor(keys, [documents.length, size]);
  const { weights, scores } = attention.attend(q, k, k, {
    scale: sharpness,
    weights: true,
    scores: "raw",
  });
  return {
    ranking: documents
      .map((_, index) => ({
        index,
        similarity: scores.data[index] / sharpness,
        weight: weights.data[index],
      }))
      .sort((a, b) => b.weight - a.weight),
  };
}

function vectorOf(value) {
  return typeof value === "string" ? embed(value) : normalised(Float32Array.from(value));
}
