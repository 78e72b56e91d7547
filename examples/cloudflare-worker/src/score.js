// One query over all documents. With vectors of length 1 a raw score is a cosine; the weights are
// their softmax, sharper with a greater scale.

import { tensor } from "wasm-attention";
import { embed, normalised } from "./embed.js";

const SHARPNESS = 16;

export function score(attention, { query, documents, sharpness = SHARPNESS } = {}) {
  if (query === undefined || !Array.isArray(documents) || documents.length === 0) {
    throw new SyntaxError("expected { query, documents }, with at least one document");
  }
  const vectors = [query, ...documents].map(vectorOf);
  const size = vectors[0].length;
  if (size === 0 || vectors.some((vector) => vector.length !== size)) {
    throw new SyntaxError(`expected vectors of one size, got ${vectors.map((v) => v.length)}`);
  }
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
  if (typeof value === "string") return embed(value);
  const isVector = Array.isArray(value) && value.every(Number.isFinite);
  if (!isVector) throw new SyntaxError("expected texts, or vectors of finite numbers");
  return normalised(Float32Array.from(value));
}
