// The engine and the model, off the page's thread.

import { createAttention } from "wasm-attention";
import { download } from "../../page/download";
import { failedBy } from "../../page/work";
import { SentenceEncoder, similarity } from "../encoder";
import type { News, Wish } from "./messages";

/** Bytes of all model files; set by build.mjs. */
declare const MODEL_BYTES: number;
const SHOWN = 8;

const say = (news: News) => postMessage(news);

async function start() {
  const attention = await createAttention();
  let loaded = 0;
  const encoder = await SentenceEncoder.load(attention, (name) =>
    download(`model/${name}`, (bytes) => {
      loaded += bytes;
      say({ type: "progress", share: loaded / MODEL_BYTES });
    }),
  );
  const text = new TextDecoder().decode(await download("sentences.txt"));
  const examples = text.split("\n").filter((line) => line !== "");
  let sentences: readonly string[] = examples;
  let embeddings = encoder.encode(sentences);
  const build = `${attention.variant} build${attention.fused ? ", fused multiply-add" : ""}`;

  addEventListener("message", ({ data }: MessageEvent<Wish>) => {
    if (data.type === "sentences") {
      sentences = data.sentences ?? examples;
      embeddings = encoder.encode(sentences);
      say({ type: "sentences", count: sentences.length });
      return;
    }
    const begin = performance.now();
    const [asked] = encoder.encode([data.text]);
    const ranking = sentences
      .map((sentence, i) => ({ sentence, score: similarity(asked, embeddings[i]) }))
      .sort((a, b) => b.score - a.score)
      .slice(0, SHOWN);
    const milliseconds = performance.now() - begin;
    const inspection = encoder.inspect(data.text);
    say({ type: "answer", id: data.id, ranking, inspection, milliseconds });
  });
  say({ type: "ready", build, sentences: sentences.length });
}

start().catch((error) => postMessage(failedBy(error)));
