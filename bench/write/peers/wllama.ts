// wllama: llama.cpp in WebAssembly, with a worker of its own.

import { Wllama } from "@wllama/wllama";
import type { Way } from "../measure";
import { LENGTH } from "../ours";

export async function wllama(name: string, gguf: Blob, prompt: string): Promise<Way> {
  const model = new Wllama(
    { default: "/wllama/wllama.wasm" },
    { suppressNativeLog: true, allowOffline: true },
  );
  await model.loadModel([gguf], { n_ctx: 512, n_threads: 1, n_gpu_layers: 0 });
  let own: number | undefined;
  return {
    way: name,
    async generate() {
      const asked = { prompt, max_tokens: LENGTH, temperature: 0, ignore_eos: true };
      const { usage, timings } = await model.createCompletion(asked);
      own = timings?.predicted_per_second;
      return new Array<number>(usage?.completion_tokens ?? 0).fill(0);
    },
    own: () => own,
  };
}
