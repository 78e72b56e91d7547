// The summariser: of a text the sentences that are attended to most, without repetition, in their order.
//
// Sentences are embedded by the encoder of examples/semantic-search, and attend to each other (attention.ts)
// and, by their words, to the whole text. Scores are z-scores within the text, added up with the weights
// below. They were chosen on every second text of DATA_DIR's
// summarisation sets; README.md says how, and how it does on the others.

import type { Attention } from "wasm-attention";
import { alikeTo, attendMutually, dot, type Embedded, type Look, sharedWords } from "./attention";
import { isList, isTalk, type Sentence, saysLittle, sentencesOf, wordsOf } from "./text";

/** Sentences that are embedded at once. */
const PART = 16;
/** What the words of a sentence count that others have too, where each stands for itself; half in `FEW` sentences. */
const COMMON = 0.8;
const FEW = 30;
/** What likeness to a question counts, in talk and in other texts: of these there was none to choose it by. */
const ASKED_IN_TALK = 1;
const ASKED = 3;
/** What length counts in talk, where much is said in passing. */
const LENGTH = 1;
/** The share of words in common from which a sentence repeats another, and is not taken. */
const REPEATED = 0.6;
/** Less than any score: a sentence that says little is taken where there is no other. */
const HARDLY = 100;
/** What being like a sentence that was taken already costs. */
const REPETITION = 0.5;

export interface Wish {
  /** How many sentences. */
  readonly sentences: number;
  /** A question that the summary is to answer. */
  readonly query?: string | undefined;
}

export interface Summary {
  /** Which sentences, in the order of the text. */
  readonly chosen: readonly number[];
  /** Of each sentence of the text. */
  readonly scores: readonly number[];
  /** Of each sentence what the others give it, 1 on average. */
  readonly received: readonly number[];
  /** Of each sentence what it attends to most. */
  readonly looks: readonly (readonly Look[])[];
}

/** Of each sentence, z-scores within the text but for what it receives. */
export interface Signals extends Omit<Summary, "chosen"> {
  readonly attended: readonly number[];
  readonly common: readonly number[];
  readonly length: readonly number[];
  /** To the question; 0 without one. */
  readonly alike: readonly number[];
  /** Whether the text is a conversation. */
  readonly talk: boolean;
  /** The question's embedding. */
  readonly asked: Float32Array | undefined;
}

/** As SentenceEncoder of examples/semantic-search. */
export interface Encoder {
  /** An embedding of length 1 for each text. */
  encode(texts: readonly string[]): Float32Array[];
}

export class Summariser {
  readonly #attention: Attention;
  readonly #encoder: Encoder;

  constructor(attention: Attention, encoder: Encoder) {
    this.#attention = attention;
    this.#encoder = encoder;
  }

  /** Cuts a text into sentences and embeds them; yields the share that is done. */
  *reading(text: string): Generator<number, Embedded, void> {
    const sentences = sentencesOf(text);
    const embeddings: Float32Array[] = [];
    while (embeddings.length < sentences.length) {
      const part = sentences.slice(embeddings.length, embeddings.length + PART);
      embeddings.push(...this.#encoder.encode(part.map(({ text }) => text)));
      yield embeddings.length / sentences.length;
    }
    return { sentences, embeddings };
  }

  /** As `reading`, told of the shares. */
  embed(text: string, read = (_share: number) => {}): Embedded {
    const reading = this.reading(text);
    let next = reading.next();
    for (; !next.done; next = reading.next()) read(next.value);
    return next.value;
  }

  summarise(text: Embedded, { sentences: count, query }: Wish): Summary {
    const signals = this.look(text, query);
    const chosen = choose(text, signals.scores, count);
    const { scores, received, looks } = signals;
    return { chosen, scores, received, looks };
  }

  /** All that a choice depends on. */
  look(text: Embedded, query?: string): Signals {
    const { sentences } = text;
    const talk = isTalk(sentences);
    const lengths = sentences.map(({ words }) => words.length);
    const votes = talk ? lengths : sentences.map(() => 1);
    const { received, looks } = attendMutually(this.#attention, text, votes);
    const total = votes.reduce((a, b) => a + b, 0);
    const shares = Array.from(received, (share) => (share * sentences.length) / total);
    const [asked] = query === undefined ? [undefined] : this.#encoder.encode([query]);
    const attended = standardised(shares.map((share) => Math.log(share + Number.EPSILON)));
    const common = standardised(commonWords(sentences));
    const length = standardised(lengths.map((length) => Math.log(length + 1)));
    const alike = standardised(
      asked ? alikeTo(text, wordsOf(query as string), asked) : sentences.map(() => 0),
    );
    const listed = !talk && asked === undefined && isList(sentences);
    const sure = listed ? sentences.length / (sentences.length + FEW) : 0;
    const scores = sentences.map(
      (_, i) =>
        attended[i] +
        (talk ? ASKED_IN_TALK : ASKED) * alike[i] +
        (talk ? LENGTH : 0) * length[i] +
        COMMON * sure * common[i],
    );
    return { attended, common, length, alike, talk, asked, scores, received: shares, looks };
  }
}

/** Of each sentence's words, the mean number of other sentences that have them. */
export function commonWords(sentences: readonly Sentence[]): number[] {
  const counts = new Map<string, number>();
  for (const { words } of sentences)
    for (const word of new Set(words)) counts.set(word, (counts.get(word) ?? 0) + 1);
  return sentences.map(({ words }) => {
    const others = words.reduce((sum, word) => sum + (counts.get(word) as number) - 1, 0);
    return others / Math.max(words.length, 1);
  });
}

/** Less the mean, over the standard deviation; 0 where all are alike. */
function standardised(values: ArrayLike<number>): number[] {
  const all = Array.from(values);
  const mean = all.reduce((a, b) => a + b, 0) / Math.max(all.length, 1);
  const squares = all.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const deviation = Math.sqrt(squares / Math.max(all.length, 1));
  return all.map((value) => (deviation > 0 ? (value - mean) / deviation : 0));
}

/** The best, less what is like them; what repeats one of them is not taken. */
export function choose(
  { sentences, embeddings }: Embedded,
  scores: readonly number[],
  count: number,
): number[] {
  const chosen: number[] = [];
  const left = new Set(scores.keys());
  const likeness = scores.map(() => 0);
  const shared = sharedWords(sentences);
  const little = saysLittle(sentences);
  while (chosen.length < count && left.size > 0) {
    let best = -1;
    const worth = (i: number) => scores[i] - REPETITION * likeness[i] - (little[i] ? HARDLY : 0);
    for (const i of left) if (best < 0 || worth(i) > worth(best)) best = i;
    chosen.push(best);
    left.delete(best);
    const repeats = shared(sentences[best].words);
    for (const i of left) {
      if (repeats[i] >= REPEATED) left.delete(i);
      else likeness[i] = Math.max(likeness[i], dot(embeddings[i], embeddings[best]));
    }
  }
  return chosen.sort((a, b) => a - b);
}
