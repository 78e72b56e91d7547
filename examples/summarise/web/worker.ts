// The engine and the models, off the page's thread. A newer wish ends an older one.

import { createAttention } from "wasm-attention";
import { blocks } from "wasm-attention/blocks";
import { training } from "wasm-attention/training";
import { download } from "../../page/download";
import { failedBy } from "../../page/work";
import { SentenceEncoder } from "../../semantic-search/encoder";
import type { Embedded } from "../attention";
import { Pointer } from "../pointer";
import { Summariser } from "../summarise";
import type { News, Wish } from "./messages";

/** Bytes of all model files; set by build.mjs. */
declare const MODEL_BYTES: number;

const say = (news: News) => postMessage(news);
/** Lets messages that wait come in. */
const pause = () => new Promise((resolve) => setTimeout(resolve));

async function start() {
  const attention = await createAttention({ extensions: [blocks, training] });
  let loaded = 0;
  const counted = (bytes: number) => {
    loaded += bytes;
    say({ type: "progress", share: loaded / MODEL_BYTES });
  };
  const encoder = await SentenceEncoder.load(attention, (name) =>
    download(`model/${name}`, counted),
  );
  const pointer = await Pointer.read(attention, await download("pointer.safetensors", counted));
  const summariser = new Summariser(attention, encoder);
  let newest = 0;
  let known: { text: string; embedded: Embedded } | undefined;

  async function read({ id, text }: Wish): Promise<Embedded | undefined> {
    if (known?.text === text) return known.embedded;
    const reading = summariser.reading(text);
    for (;;) {
      const next = reading.next();
      if (next.done) {
        known = { text, embedded: next.value };
        return next.value;
      }
      say({ type: "reading", id, share: next.value });
      await pause();
      if (id !== newest) return undefined;
    }
  }

  async function summarise(wish: Wish) {
    const { id, query, sentences: count, trained } = wish;
    newest = id;
    const begin = performance.now();
    const embedded = await read(wish);
    if (!embedded) return;
    const reached = performance.now();
    const summary = summariser.summarise(embedded, { sentences: count, query });
    const chosen = trained
      ? pointer.point(summariser.look(embedded, query), embedded, count).chosen
      : summary.chosen;
    const done = performance.now();
    say({
      type: "summary",
      id,
      sentences: embedded.sentences.map(({ text, paragraph }) => ({ text, paragraph })),
      words: embedded.sentences.reduce((sum, { words }) => sum + words.length, 0),
      chosen,
      received: summary.received,
      looks: summary.looks,
      milliseconds: { embedding: reached - begin, attention: done - reached },
    });
  }

  addEventListener("message", ({ data }: MessageEvent<Wish>) => {
    summarise(data).catch((error) => postMessage(failedBy(error)));
  });
  const build = `${attention.variant} build${attention.fused ? ", fused multiply-add" : ""}`;
  say({ type: "ready", build });
}

start().catch((error) => postMessage(failedBy(error)));
