// One call on one thread, the same on two, and what came of them.

import { createAttention, tensor } from "wasm-attention";

const dims = [1, 4, 300, 64];
const x = tensor(
  Float32Array.from({ length: 4 * 300 * 64 }, (_, i) => Math.sin(i * 1.7)),
  dims,
);

async function compute(threads) {
  const attention = await createAttention({ threads, worker: globalThis.worker });
  const { output } = attention.attend(x, x, x, { causal: true });
  const { variant, threads: used, threadsFallback } = attention;
  attention.dispose();
  return { data: output.data, variant, threads: used, threadsFallback };
}

async function both() {
  const one = await compute(1);
  const two = await compute(2);
  return {
    data: Array.from(one.data.filter((_, i) => i % 997 === 0)),
    same: one.data.every((element, i) => element === two.data[i]),
    variant: one.variant,
    threads: [one.threads, two.threads],
    fallback: two.threadsFallback,
  };
}

export const computed = both().catch((error) => ({ error: String(error) }));
