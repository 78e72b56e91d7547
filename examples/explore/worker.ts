// The engine and the models, off the page's thread. A model is loaded when it is first asked for.

import { createAttention } from "wasm-attention";
import { blocks } from "wasm-attention/blocks";
import { cache } from "wasm-attention/cache";
import { integers } from "wasm-attention/integers";
import { positions } from "wasm-attention/positions";
import { training } from "wasm-attention/training";
import { variants } from "wasm-attention/variants";
import { download } from "../page/download";
import { failedBy } from "../page/work";
import type { ModelName, News, Wish } from "./messages";
import { exploreDigits } from "./models/digits";
import type { Explored } from "./models/model";
import { exploreSentences } from "./models/sentences";
import { exploreSpeech } from "./models/speech";
import { exploreTranslator } from "./models/translator";
import { exploreWriter } from "./models/writer";

const say = (news: News) => postMessage(news);

async function start() {
  const extensions = [blocks, cache, integers, positions, training, variants] as const;
  const attention = await createAttention({ extensions });
  const loads: Record<ModelName, () => Promise<Explored>> = {
    writer: async () => exploreWriter(attention, await download("writer.safetensors")),
    sentences: () => exploreSentences(attention, (name) => download(`encoder/${name}`)),
    digits: async () =>
      exploreDigits(attention, await download("digits.safetensors"), await download("digits.bin")),
    translator: async () => exploreTranslator(attention, await download("translator.safetensors")),
    speech: async () =>
      exploreSpeech(attention, {
        encoder: await download("encoder.onnx"),
        decoder: await download("decoder.onnx"),
        recording: new Float32Array((await download("recording.bin")).buffer),
      }),
  };
  const models = new Map<ModelName, Promise<Explored>>();
  const modelOf = (name: ModelName) => {
    const model = models.get(name) ?? loads[name]();
    models.set(name, model);
    return model;
  };

  const answer = async (wish: Wish) => {
    const model = await modelOf(wish.model);
    if (wish.type === "load") {
      const { settings, beginning, pictures, across } = model;
      say({ type: "loaded", model: wish.model, settings, beginning, pictures, across });
      return;
    }
    const { id, input } = wish;
    const begun = performance.now();
    try {
      const looks = wish.settings.map((setting) => model.look(input, setting));
      const milliseconds = performance.now() - begun;
      say({ type: "looked", id, model: wish.model, looks, milliseconds });
    } catch (error) {
      say({ type: "refused", id, reason: failedBy(error).reason });
    }
  };
  addEventListener("message", ({ data }: MessageEvent<Wish>) => {
    answer(data).catch((error) => postMessage(failedBy(error)));
  });
  const build = `${attention.variant} build${attention.fused ? ", fused multiply-add" : ""}`;
  say({ type: "ready", build });
}

start().catch((error) => postMessage(failedBy(error)));
