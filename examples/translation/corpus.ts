// Sentence pairs: number words, or a tab-separated text.

import { toCardinal as german } from "n2words/de-DE";
import { toCardinal as english } from "n2words/en-US";
import { type Random, shuffle } from "../training/random";

export interface Pair {
  readonly source: string;
  readonly target: string;
}

export interface Corpus {
  readonly training: readonly Pair[];
  /** Never trained on. */
  readonly heldOut: readonly Pair[];
  /** Lines that are too long to be learnt from. */
  readonly leftOut?: readonly number[];
}

/** A corpus that cannot be read; `message` is one line for whoever wrote it. */
export class CorpusError extends Error {
  override readonly name = "CorpusError";
}

/** Of a source or target: its piece-by-piece attention is quadratic, and the model is made for words. */
export const LONGEST = 400;

export const MOST = 999_999;
const BOUNDS = [10, 100, 1000, 10_000, 100_000, MOST + 1];

export function numberPair(number: number): Pair {
  return { source: english(number), target: german(number) };
}

/** Numbers up to 999,999: held out are 1,000 of them all alike, short ones are trained on more. */
export function numbers(random: Random, training = 20_000, heldOut = 1000): Corpus {
  const drawn = new Set<number>();
  const draw = (count: number, next: () => number) => {
    const found: Pair[] = [];
    while (found.length < count) {
      const number = next();
      if (!drawn.has(number)) found.push(numberPair(number));
      drawn.add(number);
    }
    return found;
  };
  const fresh = draw(heldOut, () => random.below(MOST + 1));
  const trained = new Set(fresh.map(({ source }) => source));
  const short = Array.from({ length: training >> 2 }, () =>
    numberPair(random.below(BOUNDS[random.below(BOUNDS.length)])),
  ).filter(({ source }) => !trained.has(source));
  return {
    training: shuffle(
      [...short, ...draw(training - short.length, () => random.below(MOST + 1))],
      random,
    ),
    heldOut: fresh,
  };
}

/**
 * A file's text.
 *
 * @throws CorpusError for a file that is not UTF-8, and names UTF-16.
 */
export function decoded(name: string, bytes: Uint8Array): string {
  const [first, second] = bytes;
  const mark = (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff);
  // Latin letters have a zero in each pair of bytes, which no text in UTF-8 has.
  if (mark || bytes.subarray(0, 1000).includes(0)) {
    throw new CorpusError(`${name} is UTF-16 (or no text): save it as UTF-8`);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new CorpusError(`${name} is not UTF-8: save it as UTF-8`);
  }
}

/**
 * Lines of source, tab, target; further columns are left out, and so are lines of more than LONGEST
 * letters. A twentieth is held out, at most 1,000.
 *
 * @throws CorpusError for a line that is none, and fewer than two sources.
 */
export function pairsOf(text: string, random: Random): Corpus {
  const leftOut: number[] = [];
  const pairs = text.split(/\r?\n/u).flatMap((line, index): Pair[] => {
    if (line.trim() === "") return [];
    const [source, target] = line.split("\t");
    if (!source.trim() || !target?.trim()) {
      const start = line.length > 60 ? `${line.slice(0, 60)}…` : line;
      throw new CorpusError(`line ${index + 1} is not source, tab, target: ${start}`);
    }
    if (Math.max(source.length, target.length) > LONGEST) {
      leftOut.push(index + 1);
      return [];
    }
    return [{ source, target }];
  });
  // A source that comes twice must not stand on both sides.
  const sources = shuffle([...new Set(pairs.map(({ source }) => source))], random);
  const fresh = new Set(sources.slice(0, Math.min(1000, Math.ceil(sources.length / 20))));
  const training = pairs.filter(({ source }) => !fresh.has(source));
  if (training.length === 0) {
    const long = leftOut.length ? `; ${tooLong(leftOut)}` : "";
    throw new CorpusError(`at least two different sources are needed${long}`);
  }
  const heldOut = pairs.filter(({ source }) => fresh.has(source)).slice(0, 1000);
  return { training, heldOut, leftOut };
}

/** What a person is told of the lines that were left out. */
export function tooLong(lines: readonly number[]): string {
  const which = lines.slice(0, 5).join(", ") + (lines.length > 5 ? ", …" : "");
  return `left out as longer than ${LONGEST} letters: line ${which}`;
}
