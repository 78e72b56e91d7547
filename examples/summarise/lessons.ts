// Texts made ready to learn from: embedded, looked at, with their right sentences.

import type { Lesson } from "./course";
import { bestSentences, gapSentences, type Pair } from "./pairs";
import type { Pointer } from "./pointer";
import { choose, type Summariser } from "./summarise";
import { sentencesOf } from "./text";

/** Sentences of a piece of running text, and how many of them are its summary. */
const WINDOW = 24;
const GAPS = 3;

/** As many right sentences as the summaries have on average. */
export function* lessonsOfPairs(
  summariser: Summariser,
  pairs: readonly Pair[],
): Generator<Lesson, void, void> {
  for (const { text, summaries, query } of pairs) {
    const read = summariser.embed(text);
    const counts = summaries.map((summary) => sentencesOf(summary).length);
    const mean = Math.round(counts.reduce((a, b) => a + b, 0) / counts.length);
    const targets = bestSentences(read.sentences, summaries, Math.max(mean, 1));
    if (targets.length === 0 || targets.length === read.sentences.length) continue;
    yield { text: read, signals: summariser.look(read, query), targets };
  }
}

/** Running text in pieces, whose gap sentences are right. */
export function* lessonsOfText(
  summariser: Summariser,
  text: string,
): Generator<Lesson, void, void> {
  const { sentences, embeddings } = summariser.embed(text);
  for (let from = 0; from + WINDOW <= sentences.length; from += WINDOW) {
    const piece = {
      sentences: sentences.slice(from, from + WINDOW),
      embeddings: embeddings.slice(from, from + WINDOW),
    };
    const targets = gapSentences(piece.sentences, GAPS);
    yield { text: piece, signals: summariser.look(piece), targets };
  }
}

export interface Found {
  readonly pointer: number;
  readonly untrained: number;
  readonly first: number;
}

/** The share of right sentences that are found, where as many may be chosen as there are. */
export function found(pointer: Pointer, lessons: readonly Lesson[]): Found {
  const hits = { pointer: 0, untrained: 0, first: 0 };
  let all = 0;
  for (const { text, signals, targets } of lessons) {
    const count = targets.length;
    const right = (chosen: readonly number[]) => chosen.filter((i) => targets.includes(i)).length;
    hits.pointer += right(pointer.point(signals, text, count).chosen);
    hits.untrained += right(choose(text, signals.scores, count));
    hits.first += right([...targets.keys()]);
    all += count;
  }
  const share = (hit: number) => hit / Math.max(all, 1);
  return {
    pointer: share(hits.pointer),
    untrained: share(hits.untrained),
    first: share(hits.first),
  };
}
