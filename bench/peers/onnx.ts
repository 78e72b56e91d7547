// What onnxruntime-web and onnxruntime-node have in common: a session of a model, run on its feeds.

import type { InferenceSession, Tensor } from "onnxruntime-common";
import { blockProblem } from "./block-model";
import { attentionProblem, gatedProblem, layerProblem, linearProblem, type Problem } from "./model";
import { interleave, type Peer, queriesOf, type Run } from "./peer";

interface Runtime {
  readonly InferenceSession: {
    create(model: Uint8Array, options: InferenceSession.SessionOptions): Promise<InferenceSession>;
  };
  readonly Tensor: new (type: never, data: never, dims: readonly number[]) => Tensor;
}

export function onnxPeer(
  name: string,
  { InferenceSession: sessions, Tensor: make }: Runtime,
  options: InferenceSession.SessionOptions,
): Peer {
  const start = async ({ model, feeds: plain }: Problem): Promise<Run> => {
    const feeds: Record<string, Tensor> = {};
    for (const [input, { type, data, dims }] of Object.entries(plain)) {
      feeds[input] = new make(type as never, data as never, dims);
    }
    const session = await sessions.create(model, options);
    let output = new Float32Array(0) as Float32Array;
    return {
      async run() {
        output = (await session.run(feeds)).output.data as Float32Array;
      },
      output: () => output,
      // One whose run failed cannot be released.
      dispose: () => void session.release().catch(() => {}),
    };
  };
  return {
    name,
    async prepare(c, query, key, value) {
      const run = await start(attentionProblem(c, query, key, value));
      return { ...run, output: () => interleave(run.output(), queriesOf(c), c.heads, c.d) };
    },
    async gated(c, inputs, decay) {
      const run = await start(gatedProblem(c, inputs, decay));
      return { ...run, output: () => interleave(run.output(), c.n, c.heads, c.d) };
    },
    linear: (c, x, weight) => start(linearProblem(c, x, weight)),
    layer: (c, x, weights) => start(layerProblem(c, x, weights)),
    block: (c, x, weights) => start(blockProblem(c, x, weights)),
  };
}
