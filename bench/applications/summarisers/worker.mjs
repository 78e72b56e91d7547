// The summarisers that npm has and that run: texts in, summaries out. In a worker, since one of them gives Array's
// methods others that not every program can live with.

import { createRequire } from "node:module";
import { parentPort } from "node:worker_threads";

const require = createRequire(import.meta.url);
const lexrank = require("lexrank");
const { SummarizerManager } = require("node-summarizer");
const textrank = require("ts-textrank");
const textSummarization = require("text-summarization");
const sum = require("sum");

/** An Error in place of a summary, as node-summarizer gives, is none. */
const text = (given) => (typeof given === "string" ? given : "");

const peers = {
  lexrank: ({ text, sentences }) =>
    new Promise((resolve, reject) => {
      lexrank.summarize(text, sentences, (error, _, summary) =>
        error ? reject(error) : resolve(summary),
      );
    }),
  "node-summarizer, frequency": (given) =>
    text(new SummarizerManager(given.text, given.sentences).getSummaryByFrequency().summary),
  "node-summarizer, rank": async (given) => {
    const manager = new SummarizerManager(given.text, given.sentences);
    return text((await manager.getSummaryByRank()).summary);
  },
  "ts-textrank": ({ text, sentences }) => {
    const similarity = new textrank.SorensenDiceSimilarity();
    const parser = new textrank.DefaultTextParser();
    const order = textrank.Summarizer.SORT_OCCURENCE;
    const config = new textrank.AbsoluteSummarizerConfig(
      sentences,
      similarity,
      parser,
      0.85,
      order,
    );
    const summariser = new textrank.Summarizer(config, new textrank.NullLogger());
    return summariser.summarize(text, "en").join(" ");
  },
  "text-summarization": async ({ title, text, sentences }) => {
    const { extractive } = await textSummarization({ title, text, minNumSentences: sentences });
    // A title comes first.
    const first = title ? 1 : 0;
    return extractive.slice(first, first + sentences).join(" ");
  },
  sum: (given) => {
    const { sentences } = sum({ corpus: given.text, nSentences: given.sentences });
    return Array.isArray(sentences) ? sentences.join(" ") : text(sentences);
  },
};

parentPort.on("message", async ({ name, texts }) => {
  const begin = performance.now();
  const summaries = [];
  for (const each of texts) summaries.push(await peers[name](each));
  parentPort.postMessage({ summaries, milliseconds: performance.now() - begin });
});
