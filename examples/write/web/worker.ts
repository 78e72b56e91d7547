// The engine and the model, off the page's thread. Between some pieces the page's wishes are heard.

import { createAttention } from "wasm-attention";
import { type CacheNumbers, cache } from "wasm-attention/cache";
import { positions } from "wasm-attention/positions";
import { download } from "../../page/download";
import { failedBy } from "../../page/work";
import { seeded } from "../../training/random";
import { write } from "../generate";
import { look } from "../look";
import { unpackModel } from "../weights";
import { Writer } from "../writer";
import type { News, Wish } from "./messages";

/** Pieces of each go. */
const LENGTH = 300;
/** Milliseconds between two news. */
const NEWS = 30;

const say = (news: News) => postMessage(news);
/** Lets messages that wait come in. */
const pause = () => new Promise((resolve) => setTimeout(resolve));

async function start() {
  const [bytes, json] = await Promise.all([download("model.safetensors"), download("report.json")]);
  const attention = await createAttention({ extensions: [positions, cache] });
  const writer = new Writer(attention, await unpackModel(bytes));
  const { vocabulary, weights, shape } = writer.model;
  const random = seeded(Math.floor(Math.random() * 2 ** 32));
  const sampling = { temperature: 0.7, minP: 0.1 };
  let numbers: CacheNumbers = "float32";
  let texts = writer.begin(1, numbers);
  let ids: number[] = [];
  let pieces: Generator<number> | undefined;

  const empty = () => {
    texts.dispose();
    texts = writer.begin(1, numbers);
  };
  const begin = (beginning: string) => {
    empty();
    ids = vocabulary.encode(beginning);
    say({ type: "begun", pieces: ids.map((id) => vocabulary.added(id)) });
    goOn(ids);
  };
  /** From the pieces that the text has not read yet. */
  const goOn = (unread: readonly number[]) => {
    const before = ids.slice(0, ids.length - unread.length);
    pieces = write(texts, { ids: unread, before, length: LENGTH, sampling, random });
  };

  addEventListener("message", ({ data }: MessageEvent<Wish>) => {
    if (data.type === "write") begin(data.beginning);
    else if (data.type === "go on") goOn(ids.slice(texts.length));
    else if (data.type === "numbers") {
      numbers = data.numbers;
      empty();
      if (pieces) goOn(ids);
    } else if (data.type === "stop") pieces = undefined;
    else if (data.type === "temperature") sampling.temperature = data.temperature;
    else say({ ...data, type: "looked", weights: look(writer, ids, data) });
    wake();
  });
  say({
    type: "ready",
    build: `${attention.variant} build${attention.fused ? ", fused multiply-add" : ""}`,
    parameters: [...weights.values()].reduce((sum, { data }) => sum + data.length, 0),
    report: JSON.parse(new TextDecoder().decode(json)),
    layers: shape.layers,
    heads: shape.heads,
  });

  for (;;) {
    if (!pieces) {
      await woken();
      continue;
    }
    const from = ids.length;
    const begun = performance.now();
    let done: boolean | undefined = false;
    while (!done && performance.now() - begun < NEWS) {
      const next = pieces.next();
      done = next.done;
      if (!done) ids.push(next.value);
    }
    say({
      type: "written",
      pieces: ids.slice(from).map((id) => vocabulary.added(id)),
      milliseconds: performance.now() - begun,
      ...texts.memory,
    });
    if (done) pieces = undefined;
    else await pause();
    if (!pieces) say({ type: "stopped" });
  }
}

let wake = () => {};

function woken(): Promise<void> {
  return new Promise((resolve) => {
    wake = resolve;
  });
}

start().catch((error) => postMessage(failedBy(error)));
