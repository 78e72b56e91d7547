// The engine, the model and the scenes, off the page's thread.

import { createAttention } from "wasm-attention";
import { blocks } from "wasm-attention/blocks";
import { positions } from "wasm-attention/positions";
import { training } from "wasm-attention/training";
import { download } from "../../page/download";
import { failedBy } from "../../page/work";
import { seeded } from "../../training/random";
import { look, patchesAcross } from "../look";
import { askEach } from "../questions";
import { Scenes } from "../scenes";
import { readerOf } from "../weights";
import { UnaskableQuestion } from "../words";
import type { News, Wish } from "./messages";

const say = (news: News) => postMessage(news);

async function start() {
  const [bytes, json, labels, pixels] = await Promise.all(
    ["model.safetensors", "report.json", "labels.bin", "digits.bin"].map((name) => download(name)),
  );
  const attention = await createAttention({ extensions: [blocks, positions, training] });
  const reader = await readerOf(attention, bytes);
  const scenes = new Scenes({ count: labels.length, pixels, labels });
  const random = seeded(Math.floor(Math.random() * 2 ** 32));
  let scene = scenes.draw(random);
  const drawn = () =>
    say({
      type: "scene",
      pixels: scene.pixels,
      questions: askEach(scene, random),
    });
  addEventListener("message", ({ data }: MessageEvent<Wish>) => {
    if (data.type === "scene") {
      scene = scenes.draw(random);
      drawn();
      return;
    }
    const { question } = data;
    const begun = performance.now();
    try {
      const seen = look(attention, reader, scene.pixels, question);
      const milliseconds = performance.now() - begun;
      say({ type: "answered", question, look: seen, milliseconds });
    } catch (error) {
      if (!(error instanceof UnaskableQuestion)) throw error;
      say({ type: "refused", reason: error.message });
    }
  });
  say({
    type: "ready",
    build: `${attention.variant} build${attention.fused ? ", fused multiply-add" : ""}`,
    parameters: reader.model.parameters.reduce((sum, { data }) => sum + data.length, 0),
    report: JSON.parse(new TextDecoder().decode(json)),
    across: patchesAcross(reader.model),
  });
  drawn();
}

start().catch((error) => postMessage(failedBy(error)));
