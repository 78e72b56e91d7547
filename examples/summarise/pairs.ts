// What the pointer learns from: texts and which of their sentences make a summary.
//
// From texts with summaries the sentences are taken one after the other that bring the text taken so far nearest
// to the summaries (Nallapati et al. 2017, "SummaRuNNer"): the mean of the F of single words and of pairs of
// words. From texts alone a summary is what says most of the rest: each sentence is compared with all others of
// the text (Zhang et al. 2020, "PEGASUS", gap sentences).

import type { Sentence } from "./text";
import { wordsOf } from "./text";

export interface Pair {
  readonly text: string;
  readonly summaries: readonly string[];
  readonly query?: string | undefined;
}

/** Lines of JSON: { text, summary or summaries, query? }. */
export function pairsOf(lines: string): Pair[] {
  return lines
    .split("\n")
    .map((line, i): [string, number] => [line, i + 1])
    .filter(([line]) => line.trim() !== "")
    .map(([line, number]) => {
      const expected = `line ${number}: expected { "text", "summary" or "summaries", "query"? }`;
      let read: Record<string, unknown>;
      try {
        read = JSON.parse(line);
      } catch {
        throw new Error(expected);
      }
      const { text, summary, summaries = [summary], query } = read ?? {};
      const texts = Array.isArray(summaries) ? summaries : [];
      const strings = [text, ...texts, query ?? ""].every((each) => typeof each === "string");
      if (!strings || texts.length === 0) throw new Error(expected);
      return { ...read, summaries: texts } as unknown as Pair;
    });
}

/** The sentences that come nearest to the summaries, the best first, and as many as these have on average. */
export function bestSentences(
  sentences: readonly Sentence[],
  summaries: readonly string[],
  count: number,
): number[] {
  const references = summaries.map((summary) => countsOf([wordsOf(summary)]));
  const chosen: number[] = [];
  let best = 0;
  while (chosen.length < Math.min(count, sentences.length)) {
    let found = -1;
    for (const i of sentences.keys()) {
      if (chosen.includes(i)) continue;
      const own = countsOf([...chosen, i].map((j) => sentences[j].words));
      const value = references.reduce((sum, other) => sum + overlap(own, other), 0);
      if (value > best) [best, found] = [value, i];
    }
    if (found < 0) break;
    chosen.push(found);
  }
  return chosen;
}

/** The sentences of a text that say most of the rest, the best first. */
export function gapSentences(sentences: readonly Sentence[], count: number): number[] {
  const all = countsOf(sentences.map(({ words }) => words));
  const values = sentences.map(({ words }) => {
    const own = countsOf([words]);
    const rest = new Map(all);
    for (const [key, number] of own) rest.set(key, (all.get(key) as number) - number);
    return overlap(own, rest);
  });
  const order = [...values.keys()].sort((a, b) => values[b] - values[a] || a - b);
  return order.slice(0, count);
}

type Counts = Map<string, number>;

/** Of words, and of pairs of words, which have a space in them. */
function countsOf(texts: readonly (readonly string[])[]): Counts {
  const counts: Counts = new Map();
  const add = (key: string) => counts.set(key, (counts.get(key) ?? 0) + 1);
  for (const words of texts)
    words.forEach((word, i) => {
      add(word);
      if (i > 0) add(`${words[i - 1]} ${word}`);
    });
  return counts;
}

/** The mean of F of words and F of pairs, from 0 to 1. */
function overlap(a: Counts, b: Counts): number {
  const [words, pairs] = [
    [0, 0],
    [0, 0],
  ];
  for (const [key, number] of a) {
    const kind = key.includes(" ") ? pairs : words;
    kind[0] += Math.min(number, b.get(key) ?? 0);
    kind[1] += number;
  }
  for (const [key, number] of b) (key.includes(" ") ? pairs : words)[1] += number;
  return words[0] / Math.max(words[1], 1) + pairs[0] / Math.max(pairs[1], 1);
}
