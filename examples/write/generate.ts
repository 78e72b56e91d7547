// A text that goes on: a piece at a time, or the best of several beginnings at once.

import type { Tensor } from "wasm-attention";
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
  /** What was written after the beginning, without an end. */
  readonly ids: readonly number[];
  /** The sum of ln probability of its pieces, an end's too. */
  readonly score: number;
  readonly ended: boolean;
}

/** What goes on with several texts at once: as `Texts`. */
export interface Decoder {
  /** Adds ids [B][L] to the first B texts: logits [B, vocabulary] of what follows. */
  append(ids: readonly (readonly number[])[]): { readonly logits: Tensor };
  /** Text i goes on as text order[i] was. */
  reorder(order: readonly number[]): void;
}

export interface BeamsWanted extends Pick<Wanted, "ids" | "length"> {
  readonly beams: number;
  /** The piece after which a text is done. */
  readonly end?: number | undefined;
}

/**
 * The likeliest texts after each piece, the best first, at most `beams`: those that ended, and those that go
 * on. They are compared by ln probability a piece, so that a short one has no advantage (Wu et al. 2016, α = 1).
 * The decoder has as many texts as beams, all empty.
 */
export function* searchBeams(decoder: Decoder, wanted: BeamsWanted): Generator<readonly Beam[]> {
  const { ids, length, beams: count, end } = wanted;
  let ended: Beam[] = [];
  let going: Beam[] = [{ ids: [], score: 0, ended: false }];
  let { logits } = decoder.append([ids]);
  for (let step = 0; step < length; step++) {
    const scores = going.map(({ score }) => score);
    // Of twice as many at least half go on: a beam has one end.
    const extensions = extendBeams(logits.data, scores, 2 * count);
    const done = extensions.slice(0, count).filter(({ id }) => id === end);
    const further = extensions.filter(({ id }) => id !== end).slice(0, count);
    const before = going;
    ended.push(...done.map(({ beam, score }) => ({ ...before[beam], score, ended: true })));
    ended = ended.sort(byMean).slice(0, count);
    going = further.map(({ beam, id, score }) => {
      return { ids: [...before[beam].ids, id], score, ended: false };
    });
    yield [...ended, ...going].sort(byMean).slice(0, count);
    if (step === length - 1 || ended.length === count) return;
    decoder.reorder(further.map(({ beam }) => beam));
    ({ logits } = decoder.append(further.map(({ id }) => [id])));
  }
}

const meanOf = ({ ids, score, ended }: Beam) => score / (ids.length + Number(ended));
const byMean = (a: Beam, b: Beam) => meanOf(b) - meanOf(a);
