// The engine and the model, off the page's thread.

import { createAttention } from "wasm-attention";
import { int8, int16, integers } from "wasm-attention/integers";
import { download } from "../../page/download";
import { failedBy } from "../../page/work";
import { nearest, SHOWN } from "../agreement";
import { type Heads, SentenceEncoder, similarity } from "../encoder";
import type { News, Numbers, Wish } from "./messages";

/** Bytes of all model files; set by build.mjs. */
declare const MODEL_BYTES: number;
const HOW: Record<Numbers, Heads> = {
  float32: {},
  int16: { precision: int16 },
  int8: { precision: int8 },
};

const say = (news: News) => postMessage(news);

async function start() {
  const attention = await createAttention({ extensions: [integers] });
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
  /** Made when they are first asked for, but for float32. */
  const embedded = new Map<Numbers, readonly Float32Array[]>();
  const embeddings = (numbers: Numbers) => {
    const made = embedded.get(numbers) ?? encoder.encode(sentences, HOW[numbers]);
    embedded.set(numbers, made);
    return made;
  };
  embeddings("float32");
  const build = `${attention.variant} build${attention.fused ? ", fused multiply-add" : ""}`;

  /** The nearest sentences. */
  const search = (text: string, numbers: Numbers) => {
    const among = embeddings(numbers);
    const begin = performance.now();
    const [asked] = encoder.encode([text], HOW[numbers]);
    const found = nearest(asked, among, SHOWN);
    const milliseconds = performance.now() - begin;
    const ranking = found.map((index) => ({
      sentence: sentences[index],
      score: similarity(asked, among[index]),
    }));
    return { found, ranking, milliseconds };
  };

  addEventListener("message", ({ data }: MessageEvent<Wish>) => {
    if (data.type === "sentences") {
      sentences = data.sentences ?? examples;
      embedded.clear();
      embeddings("float32");
      say({ type: "sentences", count: sentences.length });
      return;
    }
    const { id, text, numbers } = data;
    const { found, ranking, milliseconds } = search(text, numbers);
    const float = numbers === "float32" ? undefined : search(text, "float32");
    const beside = float && {
      first: found[0] === float.found[0],
      found: found.filter((index) => float.found.includes(index)).length,
      milliseconds: float.milliseconds,
    };
    const inspection = encoder.inspect(text, HOW[numbers]);
    say({ type: "answer", id, ranking, inspection, milliseconds, numbers, beside });
  });
  say({ type: "ready", build, sentences: sentences.length });
}

start().catch((error) => postMessage(failedBy(error)));
