// node-llama-cpp: llama.cpp's own build for this machine, out of its package; nothing is downloaded.

import { getLlama, LlamaLogLevel, type Token } from "node-llama-cpp";
import { type Generate, LENGTH } from "../ours";

export async function llamaCpp(path: string, first: number): Promise<Generate> {
  const llama = await getLlama({
    gpu: false,
    build: "never",
    skipDownload: true,
    maxThreads: 1,
    progressLogs: false,
    logLevel: LlamaLogLevel.error,
  });
  const model = await llama.loadModel({ modelPath: path });
  const context = await model.createContext({ contextSize: 512, threads: 1 });
  const sequence = context.getSequence();
  return async () => {
    await sequence.clearHistory();
    const ids: number[] = [];
    const options = { temperature: 0, yieldEogToken: true };
    for await (const id of sequence.evaluate([first as Token], options)) {
      ids.push(id);
      if (ids.length === LENGTH) break;
    }
    return ids;
  };
}
