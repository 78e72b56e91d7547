// What questions find, and how far two ways of making the embeddings agree on it.

import { similarity } from "./encoder";

/** Sentences of each question that are compared. */
export const SHOWN = 8;

/** Embeddings of what is asked and of what is searched. */
export interface Embedded {
  readonly questions: readonly Float32Array[];
  readonly sentences: readonly Float32Array[];
}

export interface Agreement {
  /** Questions that find the same sentence first. */
  readonly first: number;
  /** Of all questions the sentences that are among the `SHOWN` nearest both ways. */
  readonly found: number;
  /** The least cosine between the two embeddings of a text. */
  readonly cosine: number;
}

/** Indices of the sentences nearest to a question, the nearest first. */
export function nearest(
  question: Float32Array,
  sentences: readonly Float32Array[],
  count: number,
): number[] {
  const scores = sentences.map((sentence) => similarity(question, sentence));
  const order = scores.map((_, index) => index);
  return order.sort((a, b) => scores[b] - scores[a]).slice(0, count);
}

export function agreementOf(one: Embedded, other: Embedded): Agreement {
  const [ours, theirs] = [one, other].map(({ questions, sentences }) =>
    questions.map((question) => nearest(question, sentences, SHOWN)),
  );
  const texts = [...one.questions, ...one.sentences];
  const same = [...other.questions, ...other.sentences];
  return {
    first: ours.filter(([best], q) => best === theirs[q][0]).length,
    found: ours.reduce((sum, list, q) => sum + list.filter((i) => theirs[q].includes(i)).length, 0),
    cosine: Math.min(...texts.map((text, i) => similarity(text, same[i]))),
  };
}
