// One of two independent copies: waits to be told, meets the other, makes one call.

import { parentPort, workerData } from "node:worker_threads";
import { createAttention } from "wasm-attention";
import { random } from "./cases";
import { ARRIVED, BEGIN, type Copy, ENDED, now } from "./copies";

const { heads, n, d, causal, build, shared, clock, index } = workerData as Copy;
const attention = await createAttention({ reproducible: build === "portable" });
if (attention.variant !== build) throw new Error(`wanted ${build}, got ${attention.variant}`);
const dims = [1, heads, n, d];
const tensors = [0, 1, 2, 3].map(() => attention.allocate(dims));
for (const made of tensors) made.data.set(random(heads * n * d));
const [q, k, v, out] = tensors;
attention.attend(q, k, v, { causal, out });

const [state, times] = [new Int32Array(shared), new Float64Array(clock)];
parentPort?.postMessage("ready");
for (let begun = 0; ; begun++) {
  Atomics.wait(state, BEGIN, begun);
  // Both are awake before either begins.
  Atomics.add(state, ARRIVED, 1);
  while (Atomics.load(state, ARRIVED) < 2);
  times[2 * index] = now();
  attention.attend(q, k, v, { causal, out });
  times[2 * index + 1] = now();
  Atomics.add(state, ENDED, 1);
  Atomics.notify(state, ENDED);
}
