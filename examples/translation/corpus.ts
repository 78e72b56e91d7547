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
}

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
  const apart = draw(heldOut, () => random.below(MOST + 1));
  const kept = new Set(apart.map(({ source }) => source));
  const short = Array.from({ length: training >> 2 }, () =>
    numberPair(random.below(BOUNDS[random.below(BOUNDS.length)])),
  ).filter(({ source }) => !kept.has(source));
  return {
    training: shuffle(
      [...short, ...draw(training - short.length, () => random.below(MOST + 1))],
      random,
    ),
    heldOut: apart,
  };
}

/** Lines of source, tab, target; further columns are left out. A twentieth is held out, at most 1,000. */
export function pairsOf(text: string, random: Random): Corpus {
  const pairs = text.split(/\r?\n/u).flatMap((line, index): Pair[] => {
    if (line.trim() === "") return [];
    const [source, target] = line.split("\t");
    if (!source.trim() || !target?.trim()) {
      throw new Error(`line ${index + 1} is not source, tab, target: ${line}`);
    }
    return [{ source, target }];
  });
  // A source that comes twice must not stand on both sides.
  const sources = shuffle([...new Set(pairs.map(({ source }) => source))], random);
  const apart = new Set(sources.slice(0, Math.min(1000, Math.ceil(sources.length / 20))));
  const training = pairs.filter(({ source }) => !apart.has(source));
  if (training.length === 0) throw new Error("at least two different sources are needed");
  return { training, heldOut: pairs.filter(({ source }) => apart.has(source)).slice(0, 1000) };
}
