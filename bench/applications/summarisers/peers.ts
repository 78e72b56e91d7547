// The summarisers that npm has and that run: a text and a number of sentences in, a summary out.

import { createRequire } from "node:module";
import table from "cli-table3";

const require = createRequire(import.meta.url);
const lexrank = require("lexrank");
const { SummarizerManager } = require("node-summarizer");
const textrank = require("ts-textrank");
const textSummarization = require("text-summarization");
const sum = require("sum");

export interface Text {
  readonly title: string;
  readonly text: string;
  readonly sentences: number;
}

export type Summarise = (text: Text) => string | Promise<string>;

/** An Error in place of a summary, as node-summarizer gives, is none. */
const texts = (given: unknown) => (typeof given === "string" ? given : "");

export const peers: Readonly<Record<string, Summarise>> = {
  lexrank: ({ text, sentences }) =>
    new Promise((resolve, reject) =>
      lexrank.summarize(text, sentences, (error: unknown, _: unknown, summary: string) =>
        error ? reject(error) : resolve(summary),
      ),
    ),
  "node-summarizer, frequency": ({ text, sentences }) =>
    texts(new SummarizerManager(text, sentences).getSummaryByFrequency().summary),
  "node-summarizer, rank": async ({ text, sentences }) =>
    texts((await new SummarizerManager(text, sentences).getSummaryByRank()).summary),
  "ts-textrank": ({ text, sentences }) => {
    const similarity = new textrank.SorensenDiceSimilarity();
    const config = new textrank.AbsoluteSummarizerConfig(
      sentences,
      similarity,
      new textrank.DefaultTextParser(),
      0.85,
      textrank.Summarizer.SORT_OCCURENCE,
    );
    const summariser = new textrank.Summarizer(config, new textrank.NullLogger());
    return (summariser.summarize(text, "en") as string[]).join(" ");
  },
  "text-summarization": async ({ title, text, sentences }) => {
    const { extractive } = await textSummarization({ title, text, minNumSentences: sentences });
    // A title comes first.
    return (extractive as string[]).slice(title ? 1 : 0, sentences + (title ? 1 : 0)).join(" ");
  },
  sum: ({ text, sentences }) => {
    const { sentences: found } = sum({ corpus: text, nSentences: sentences });
    return Array.isArray(found) ? found.join(" ") : texts(found);
  },
};

export function tableOf(head: string[], rows: readonly string[][]): string {
  const made = new table({ head, style: { head: [], border: [] } });
  made.push(...rows.map((row) => [...row]));
  return made.toString();
}
