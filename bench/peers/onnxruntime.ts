// onnxruntime-web, wasm, one thread: its own attention operator in a model of one node.

import * as ort from "onnxruntime-web";
import { feedsOf, modelBytes } from "./model";
import { interleave, type Peer, queriesOf } from "./peer";

ort.env.wasm.numThreads = 1;

export const onnxruntime: Peer = {
  name: "onnxruntime-web",
  async prepare(c, query, key, value) {
    const plain = Object.entries(feedsOf(c, query, key, value));
    const feeds = Object.fromEntries(
      plain.map(([name, { type, data, dims }]) => [
        name,
        new ort.Tensor(type, data as never, dims),
      ]),
    );
    const session = await ort.InferenceSession.create(modelBytes(c), {
      executionProviders: ["wasm"],
    });
    let output = new Float32Array(0);
    return {
      async run() {
        const results = await session.run(feeds);
        output = results.output.data as Float32Array<ArrayBuffer>;
      },
      output: () => interleave(output, queriesOf(c), c.heads, c.d),
      dispose: () => void session.release(),
    };
  },
};
