// The engine and the model, off the page's thread.

import { createAttention } from "wasm-attention";
import { SentenceEncoder, similarity } from "../encoder";
import type { Message, Question } from "./messages";

/** Bytes of all model files; set by build.mjs. */
declare const MODEL_BYTES: number;

const say = (message: Message) => postMessage(message);
let loaded = 0;

async function readModelFile(name: string): Promise<Uint8Array> {
  const response = await fetch(`model/${name}`);
  if (!response.ok || !response.body) throw new Error(`model/${name}: ${response.status}`);
  const counted = response.body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        loaded += chunk.length;
        say({ type: "progress", share: loaded / MODEL_BYTES });
        controller.enqueue(chunk);
      },
    }),
  );
  return new Uint8Array(await new Response(counted).arrayBuffer());
}

async function start() {
  const attention = await createAttention();
  const encoder = await SentenceEncoder.load(attention, readModelFile);
  const text = await (await fetch("sentences.txt")).text();
  const sentences = text.split("\n").filter((line) => line !== "");
  const embeddings = encoder.encode(sentences);
  const build = `${attention.variant} build${attention.fused ? ", fused multiply-add" : ""}`;
  say({ type: "ready", build, sentences: sentences.length });

  addEventListener("message", ({ data: { id, text } }: MessageEvent<Question>) => {
    const begin = performance.now();
    const [asked] = encoder.encode([text]);
    const ranking = sentences
      .map((sentence, i) => ({ sentence, score: similarity(asked, embeddings[i]) }))
      .sort((a, b) => b.score - a.score)
      .slice(0, 8);
    const milliseconds = performance.now() - begin;
    say({ type: "answer", id, ranking, inspection: encoder.inspect(text), milliseconds });
  });
}

start().catch((error) => say({ type: "failed", reason: String(error) }));
