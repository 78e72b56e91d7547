// A text that goes on: a piece at a time, or the best of several beginnings at once.

import type { Random } from "../training/random";
import { extendBeams, type Sampling, sample } from "./sampling";
import type { Texts } from "./writer";

/** Pieces back from the end whose repetition is penalised. */
const LATELY = 64;

export interface Wanted {
  /** What the text has not read yet: its beginning, or the piece it ended with. */
  readonly ids: readonly number[];
  /** What it has read. */
  readonly before?: readonly number[] | undefined;
  /** How many more. */
  readonly length: number;
  readonly sampling: Sampling;
  readonly random: Random;
}

/** Reads `ids`, and gives each piece as it is written; the text has not read the last one. */
export function* write(text: Texts, wanted: Wanted): Generator<number> {
  const { ids, before = [], length, sampling, random } = wanted;
  const written = [...before, ...ids];
  let { logits } = text.append([ids]);
  for (let count = 0; count < length; count++) {
    const id = sample(logits.data, sampling, random, written.slice(-LATELY));
    written.push(id);
    yield id;
    if (count < length - 1) ({ logits } = text.append([[id]]));
  }
}

export interface Beam {
  /** What was written after the beginning. */
  readonly ids: readonly number[];
  /** The sum of ln probability of its pieces. */
  readonly score: number;
}

/** The likeliest beams after each piece, the best first. `texts` are as many as beams, and empty. */
export function* searchBeams(
  texts: Texts,
  count: number,
  { ids, length }: Pick<Wanted, "ids" | "length">,
): Generator<Beam[]> {
  let beams: Beam[] = [{ ids: [], score: 0 }];
  let { logits } = texts.append([ids]);
  for (let step = 0; step < length; step++) {
    const before = beams;
    const scores = before.map(({ score }) => score);
    const extensions = extendBeams(logits.data, scores, count);
    beams = extensions.map(({ beam, id, score }) => ({ ids: [...before[beam].ids, id], score }));
    yield beams;
    if (step === length - 1) return;
    texts.reorder(extensions.map(({ beam }) => beam));
    ({ logits } = texts.append(extensions.map(({ id }) => [id])));
  }
}
