// @jax-js/jax on its wasm backend: dotProductAttention, for engines that have iterator helpers.

import { type Case, interleave, keyValueHeadsOf, LeftOut, type Peer, queriesOf } from "./peer";

export const jax: Peer = {
  name: "@jax-js/jax",
  async prepare(c: Case, query, key, value) {
    if (!("Iterator" in globalThis)) throw new LeftOut("it needs Node 22 or newer");
    // onnxruntime-web leaves Node's Worker as a global, and jax would start workers from blob: URLs,
    // which Node does not take.
    if ("process" in globalThis) Reflect.deleteProperty(globalThis, "Worker");
    const { defaultDevice, init, nn, numpy } = await import("@jax-js/jax");
    await init("wasm");
    defaultDevice("wasm");
    const { heads, n, d, causal } = c;
    const wrap = (data: Float32Array, count: number, length: number) =>
      numpy
        .array(interleave(data, count, length, d) as Float32Array<ArrayBuffer>)
        .reshape([1, length, count, d]);
    const rows = queriesOf(c);
    const few = keyValueHeadsOf(c);
    const [q, k, v] = [wrap(query, heads, rows), wrap(key, few, n), wrap(value, few, n)];
    let output: Float32Array = new Float32Array(0);
    return {
      async run() {
        const result = nn.dotProductAttention(q.ref, k.ref, v.ref, { isCausal: causal });
        output = (await result.data()) as Float32Array;
      },
      output: () => interleave(output, rows, heads, d),
      dispose: () => {
        for (const x of [q, k, v]) x.dispose();
      },
    };
  },
};
