// npm run demo:shards [-- "a question"] [--sentences 4500]: Moby Dick's sentences lie in three processes behind a
// nats-server. A question attends to them where they are, one process is killed, and the answer has the same bits.
//
// A sentence's key is its embedding, its value the number 1 in the column of its chapter: so the output of
// attention is the weight of each chapter.

import { createHash } from "node:crypto";
import pc from "picocolors";
import { createAttention, type Tensor, tensor } from "wasm-attention";
import {
  type CallsClient,
  connectCalls,
  connectShards,
  createShards,
  type ShardedSequence,
} from "wasm-attention/shards/nats";
import { commandLine, wholeNumber } from "../arguments";
import { EMBEDDING_SIZE } from "../semantic-search/encoder";
import { bar } from "../translation/progress";
import { chapters, readSentences } from "./book";
import { embedAll } from "./embeddings";
import { endAll, kill, startServer, startWorker } from "./processes";

const { values, positionals } = commandLine({
  allowPositionals: true,
  options: { sentences: { type: "string", default: "4500" } },
});
const question = positionals.join(" ") || "Why is the white whale so frightening?";
const sentences = readSentences(wholeNumber("sentences", values.sentences));

const NAME = "moby-dick";
const WORKERS = 3;
/** Of a job, and of an append. */
const [EMBEDDED, APPENDED] = [32, 1000];
/** Embeddings are of length 1: what is twice as far counts e^−20 · cosine less. */
const SCALE = 40;
const SHOWN = 4;

const counted = (n: number) => n.toLocaleString("en");

/** Jobs of a few sentences, for whichever process is free. */
async function readAll(jobs: CallsClient): Promise<Float32Array> {
  const texts = [...sentences.map(({ text }) => text), question];
  const shown = process.stderr.isTTY;
  const rows = await embedAll(jobs, texts, {
    texts: EMBEDDED,
    jobs: 2 * WORKERS,
    done(count) {
      if (shown) process.stderr.write(`\r\u001b[K  ${pc.cyan(bar(count / texts.length, 30))} read`);
    },
  });
  if (shown) process.stderr.write("\r\u001b[K");
  return rows;
}

function valuesOf(from: number, to: number): Tensor {
  const data = new Float32Array((to - from) * chapters);
  for (let i = from; i < to; i++) data[(i - from) * chapters + sentences[i].chapter] = 1;
  return tensor(data, [1, 1, to - from, chapters]);
}

const digest = ({ data }: Tensor) =>
  createHash("sha256")
    .update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
    .digest("hex")
    .slice(0, 16);

/** The answer's digest. */
async function ask(text: ShardedSequence, query: Tensor, what: string): Promise<string> {
  const begin = performance.now();
  const { output } = await text.attend(query, { scale: SCALE, causal: false });
  const milliseconds = performance.now() - begin;
  const bits = digest(output);
  console.log(`  ${what.padEnd(34)} ${milliseconds.toFixed(1).padStart(7)} ms   ${bits}`);
  return bits;
}

try {
  const { port, connection } = await startServer();
  const sizes = { keyValueHeads: 1, headSize: EMBEDDING_SIZE, valueSize: chapters };
  await createShards(connection, { name: NAME, ...sizes, workers: WORKERS });
  const processes = await Promise.all(
    Array.from({ length: WORKERS }, (_, worker) => startWorker(port, NAME, worker)),
  );
  console.log(`\n${pc.bold(question)}\n`);
  console.log(
    `  a nats-server and ${WORKERS} processes; ${counted(sentences.length)} sentences to read`,
  );

  const jobs = connectCalls(connection, NAME);
  const read = performance.now();
  const rows = await readAll(jobs);
  const keys = rows.subarray(0, sentences.length * EMBEDDING_SIZE);
  const asked = rows.slice(keys.length);
  console.log(
    `  read in ${((performance.now() - read) / 1000).toFixed(0)} s, a job of ${EMBEDDED} sentences for whoever is free`,
  );

  const attention = await createAttention({ reproducible: true });
  const shards = await connectShards(connection, attention, NAME);
  const text = await shards.sequence("book");
  const append = performance.now();
  for (let from = 0; from < sentences.length; from += APPENDED) {
    const to = Math.min(from + APPENDED, sentences.length);
    const some = keys.slice(from * EMBEDDING_SIZE, to * EMBEDDING_SIZE);
    await text.append(tensor(some, [1, 1, to - from, EMBEDDING_SIZE]), valuesOf(from, to));
  }
  const spans = Math.ceil(sentences.length / 4096);
  console.log(
    `  stored in ${(performance.now() - append).toFixed(0)} ms: ${spans} spans of up to 4,096 keys, each in two processes\n`,
  );

  const table = async () => {
    for (const { worker, spans, bytes } of await shards.workers())
      console.log(
        `  process ${worker}   pid ${processes[worker].pid}   ${spans} spans   ${(bytes / 1e6).toFixed(1)} MB`,
      );
    console.log();
  };
  await table();

  const query = tensor(asked, [1, 1, 1, EMBEDDING_SIZE]);
  const all: string[] = [];
  all.push(await ask(text, query, "three processes answer"));
  const { output } = await text.attend(query, { scale: SCALE, causal: false });
  const asking = ask(text, query, "process 1 is killed meanwhile");
  await kill(processes[1]);
  all.push(await asking, await ask(text, query, "two processes answer"));
  processes[1] = await startWorker(port, NAME, 1);
  all.push(await ask(text, query, "process 1 is back, it read the log"));
  const whole = {
    key: tensor(keys, [1, 1, sentences.length, EMBEDDING_SIZE]),
    value: valuesOf(0, sentences.length),
  };
  const local = performance.now();
  const here = attention.attend(query, whole.key, whole.value, { scale: SCALE });
  all.push(digest(here.output));
  console.log(
    `  ${"one attend in this process".padEnd(34)} ${(performance.now() - local).toFixed(1).padStart(7)} ms   ${all.at(-1)}\n`,
  );
  await table();

  const order = [...output.data.keys()].sort((a, b) => output.data[b] - output.data[a]);
  console.log("  chapters by the weight of their sentences:");
  for (const chapter of order.slice(0, SHOWN)) {
    const share = output.data[chapter];
    console.log(
      `  ${pc.cyan(bar(share, 24))} ${(100 * share).toFixed(1).padStart(5)} %  chapter ${chapter + 1}`,
    );
  }
  const same = all.every((bits) => bits === all[0]);
  console.log(`\n  ${same ? "every answer has the same bits" : "the answers differ"}\n`);
  process.exitCode = same ? 0 : 1;
} finally {
  endAll();
}
process.exit();
