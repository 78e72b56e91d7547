// npm run demo -- --workers 2 [-- "a question"]: semantic search whose embeddings are made by processes behind a
// nats-server. A caller sees one service; it is measured with one process, with two, and so on.

import pc from "picocolors";
import { connectCalls } from "wasm-attention/shards/nats";
import { commandLine, wholeNumber } from "../arguments";
import { createEncoder } from "../semantic-search/embedder";
import { EMBEDDING_SIZE, similarity } from "../semantic-search/encoder";
import { readSentences } from "../semantic-search/files";
import { bar } from "../translation/progress";
import { embedAll } from "./embeddings";
import { endAll, startServer, startWorker } from "./processes";

const { values, positionals } = commandLine({
  allowPositionals: true,
  options: {
    workers: { type: "string", default: "2" },
    repeats: { type: "string", default: "10" },
  },
});
const workers = wholeNumber("workers", values.workers);
const repeats = wholeNumber("repeats", values.repeats);
const question = positionals.join(" ") || "How do I get my money back?";

const NAME = "search";
/** Of a job; the last ones keep all processes busy. */
const TEXTS = 8;
const SHOWN = 8;

try {
  const sentences = await readSentences();
  const texts = [question, ...sentences];
  const many = Array.from({ length: repeats }, () => texts).flat();
  const { port, connection } = await startServer();
  const jobs = connectCalls(connection, NAME);
  const rates: number[] = [];
  let rows: Float32Array = new Float32Array();
  for (let count = 1; count <= workers; count++) {
    await startWorker(port, NAME);
    // Once for the engines to compile what they run.
    await embedAll(jobs, many, { texts: TEXTS, jobs: 2 * count });
    const begin = performance.now();
    rows = await embedAll(jobs, many, { texts: TEXTS, jobs: 2 * count });
    rates.push(many.length / ((performance.now() - begin) / 1000));
  }
  const row = (i: number) => rows.subarray(i * EMBEDDING_SIZE, (i + 1) * EMBEDDING_SIZE);
  const ranking = sentences
    .map((sentence, i) => ({ sentence, score: similarity(row(0), row(i + 1)) }))
    .sort((a, b) => b.score - a.score);
  console.log(`\n${pc.bold(question)}\n`);
  for (const { sentence, score } of ranking.slice(0, SHOWN))
    console.log(`  ${score.toFixed(3)}  ${pc.cyan(bar(Math.max(0, score), 24))}  ${sentence}`);
  console.log();
  for (const [index, rate] of rates.entries()) {
    const against = index ? `, ${(rate / rates[0]).toFixed(2)}× of one` : "";
    console.log(
      `  ${index + 1} process${index ? "es" : ""}   ${rate.toFixed(0)} texts a second${against}`,
    );
  }
  const here = (await createEncoder()).encode(texts);
  const same = many.every((_, i) =>
    here[i % texts.length].every((x, k) => Object.is(x, row(i)[k])),
  );
  console.log(`\n  ${same ? "the same bits as in this process" : "other bits than here"}\n`);
  process.exitCode = same ? 0 : 1;
} finally {
  endAll();
}
process.exit();
