// onnxruntime-node, native code on one thread: what the machine can do outside JavaScript.

import * as ort from "onnxruntime-node";
import { feedsOf, modelBytes } from "./model";
import { interleave, type Peer, queriesOf } from "./peer";

export const onnxruntimeNode: Peer = {
  name: "onnxruntime-node",
  async prepare(c, query, key, value) {
    const plain = Object.entries(feedsOf(c, query, key, value));
    const feeds = Object.fromEntries(
      plain.map(([name, { type, data, dims }]) => [
        name,
        new ort.Tensor(type, data as never, dims),
      ]),
    );
    const session = await ort.InferenceSession.create(modelBytes(c), {
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
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
