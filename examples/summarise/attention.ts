// How sentences attend to each other, and to a question.
//
// A sentence i attends to another j with softmax over j of SHARPNESS · alike(i, j), where
// alike = MEANING · cosine of their embeddings + WORDS · the share of words they have in common; never to
// itself. In `attend` that is a product of embeddings, scaled, and an additive mask. Rows are computed a block
// at a time, so that memory grows with the sentences and not with their square.

import { type Attention, tensor } from "wasm-attention";
import type { Sentence } from "./text";

const SHARPNESS = 10;
const WORDS = 0.7;
const MEANING = 1 - WORDS;
/** Rows of a block. */
const ROWS = 256;
/** Of each sentence so many that it attends to most are kept, to be drawn. */
const KEPT = 8;

export interface Look {
  readonly to: number;
  readonly weight: number;
}

export interface Mutual {
  /** [sentences]: what all others together give it; the mean is 1 where each has one vote. */
  readonly received: Float64Array;
  /** Of each sentence, what it attends to most. */
  readonly looks: readonly (readonly Look[])[];
}

export interface Embedded {
  readonly sentences: readonly Sentence[];
  /** Of length 1 each. */
  readonly embeddings: readonly Float32Array[];
}

/** `votes`: how much what each sentence attends to counts. */
export function attendMutually(
  attention: Attention,
  { sentences, embeddings }: Embedded,
  votes: readonly number[],
): Mutual {
  const count = sentences.length;
  const received = new Float64Array(count);
  const looks: Look[][] = [];
  if (count === 0) return { received, looks };
  const size = embeddings[0].length;
  const keys = tensor(joined(embeddings), [count, size]);
  const shared = sharedWords(sentences);
  for (let from = 0; from < count; from += ROWS) {
    const rows = Math.min(ROWS, count - from);
    const mask = new Float32Array(rows * count);
    for (let row = 0; row < rows; row++) {
      const line = mask.subarray(row * count, (row + 1) * count);
      line.set(shared(sentences[from + row].words));
      for (let j = 0; j < count; j++) line[j] *= SHARPNESS * WORDS;
      line[from + row] = Number.NEGATIVE_INFINITY;
    }
    const queries = tensor(joined(embeddings.slice(from, from + rows)), [rows, size]);
    const { weights } = attention.attend(queries, keys, keys, {
      scale: SHARPNESS * MEANING,
      mask: tensor(mask, [rows, count]),
      weights: true,
    });
    for (let row = 0; row < rows; row++) {
      const line = weights.data.subarray(row * count, (row + 1) * count);
      for (let j = 0; j < count; j++) received[j] += votes[from + row] * line[j];
      looks.push(most(line));
    }
  }
  return { received, looks };
}

/** How alike each sentence is to a question, from about 0 to 1. */
export function alikeTo(
  { sentences, embeddings }: Embedded,
  words: readonly string[],
  embedding: Float32Array,
): Float64Array {
  const shared = sharedWords(sentences)(words);
  return Float64Array.from(embeddings, (other, j) => (dot(other, embedding) + shared[j]) / 2);
}

export function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** The Sørensen–Dice share of kinds of words that some words have in common with each sentence's. */
export function sharedWords(sentences: readonly Pick<Sentence, "words">[]) {
  const kinds = sentences.map(({ words }) => new Set(words));
  const places = new Map<string, number[]>();
  kinds.forEach((kind, j) => {
    for (const word of kind) {
      const known = places.get(word);
      if (known) known.push(j);
      else places.set(word, [j]);
    }
  });
  return (words: readonly string[]): Float64Array => {
    const own = new Set(words);
    const shares = new Float64Array(kinds.length);
    for (const word of own) for (const j of places.get(word) ?? []) shares[j]++;
    return shares.map((both, j) => (2 * both) / Math.max(own.size + kinds[j].size, 1));
  };
}

function most(weights: Float32Array): Look[] {
  const best: Look[] = [];
  for (const [to, weight] of weights.entries()) {
    if (!(weight > (best[KEPT - 1]?.weight ?? 0))) continue;
    const place = best.findIndex((other) => other.weight < weight);
    best.splice(place < 0 ? best.length : place, 0, { to, weight });
    best.length = Math.min(best.length, KEPT);
  }
  return best;
}

function joined(rows: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(rows.length * rows[0].length);
  rows.forEach((row, i) => {
    all.set(row, i * row.length);
  });
  return all;
}
