// The engine and the model, off the page's thread. Between tokens the page's wishes are heard: a new sound takes
// the place of the one before.

import { createAttention } from "wasm-attention";
import { blocks } from "wasm-attention/blocks";
import { cache } from "wasm-attention/cache";
import { positions } from "wasm-attention/positions";
import { download } from "../../page/download";
import { failedBy } from "../../page/work";
import { Listener, limitOf, type Token } from "../listener";
import { readOnnx } from "../packages/onnx";
import * as spelling from "../packages/tokens";
import { cut, type Piece, RATE } from "../sound";
import { Spectrograph } from "../spectrogram";
import { wordsOf } from "../words";
import type { News, Wish } from "./messages";

/** Bytes of both model files; set by build.mjs. */
declare const MODEL_BYTES: number;
/** Milliseconds between two looks at what the page wishes. */
const PATIENCE = 30;

const say = (news: News) => postMessage(news);
/** Lets messages that wait come in. */
const pause = () => new Promise((resolve) => setTimeout(resolve));

async function start() {
  let loaded = 0;
  const file = (name: string) =>
    download(name, (bytes) => {
      loaded += bytes;
      say({ type: "progress", share: loaded / MODEL_BYTES });
    });
  const [encoder, decoder] = await Promise.all([file("encoder.onnx"), file("decoder.onnx")]);
  const attention = await createAttention({ extensions: [blocks, cache, positions] });
  const weights = { encoder: readOnnx(encoder), decoder: readOnnx(decoder) };
  const listener = new Listener(attention, weights);
  const spectrograph = new Spectrograph(attention);
  let wished: Wish | undefined;
  let wake = () => {};
  addEventListener("message", ({ data }: MessageEvent<Wish>) => {
    wished = data;
    wake();
  });
  say({
    type: "ready",
    build: `${attention.variant} build${attention.fused ? ", fused multiply-add" : ""}`,
    parameters: weights.encoder.parameters + weights.decoder.parameters,
  });

  /** False where another sound came meanwhile. */
  const hear = async (id: number, { at, samples }: Piece): Promise<boolean> => {
    const spectrum = spectrograph.of(samples);
    const encoded = listener.encode(samples);
    const tokens: Token[] = [];
    let before = performance.now();
    for (const token of encoded ? listener.write(encoded, limitOf(samples)) : []) {
      tokens.push(token);
      if (performance.now() - before < PATIENCE) continue;
      say({ type: "said", id, text: spelling.textOf(tokens.map(({ id }) => id)) });
      await pause();
      if (wished) return false;
      before = performance.now();
    }
    const words = wordsOf(tokens, spelling);
    say({ type: "heard", id, piece: { at, seconds: samples.length / RATE, spectrum, words } });
    return true;
  };

  for (;;) {
    if (!wished) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
      continue;
    }
    const { id, at, sound } = wished;
    wished = undefined;
    const begin = performance.now();
    let whole = true;
    for (const piece of cut(sound)) {
      whole = await hear(id, { ...piece, at: at + piece.at });
      await pause();
      if (!whole || wished) break;
    }
    const milliseconds = performance.now() - begin;
    if (whole) say({ type: "done", id, seconds: sound.length / RATE, milliseconds });
  }
}

start().catch((error) => postMessage(failedBy(error)));
