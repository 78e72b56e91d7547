// ROUGE-1, -2 and -L (Lin 2004), F of each, by js-rouge with the words of google-research's rouge_scorer: lower
// case, [a-z0-9]+, no stemmer; -L over the whole summary. Checked on DATA_DIR's rouge-cases.json.

import { l, n } from "js-rouge";

export type Scores = readonly [rouge1: number, rouge2: number, rougeL: number];

const tokenizer = (text: string) => text.toLowerCase().match(/[a-z0-9]+/gu) ?? [];
const whole = (text: string) => [text];
const lines = (text: string) => text.split("\n");

export const wordsOf = (text: string) => tokenizer(text).length;

/** F of one metric, `rouge1`, `rouge2`, … `rougeL` or `rougeLsum`; nothing is like nothing else. */
export function rouge(metric: string, summary: string, reference: string): number {
  if (wordsOf(summary) === 0 || wordsOf(reference) === 0) return 0;
  if (metric === "rougeL") return l(summary, reference, { tokenizer, segmenter: whole });
  if (metric === "rougeLsum") return l(summary, reference, { tokenizer, segmenter: lines });
  return n(summary, reference, { tokenizer, n: Number(metric.slice("rouge".length)) });
}

export const METRICS = ["rouge1", "rouge2", "rougeL"] as const;

interface Case {
  readonly metric: string;
  readonly stemmer: boolean;
  readonly target: string;
  readonly prediction: string;
  readonly fmeasure: number;
}

/** How many of the published cases without a stemmer come out otherwise, and how many there are. */
export function checkCases({ cases }: { readonly cases: readonly Case[] }) {
  const plain = cases.filter(({ stemmer, fmeasure }) => !stemmer && fmeasure !== undefined);
  const wrong = plain.filter(
    ({ metric, target, prediction, fmeasure }) =>
      Math.abs(rouge(metric, prediction, target) - fmeasure) > 1e-5,
  );
  return { cases: plain.length, wrong };
}
