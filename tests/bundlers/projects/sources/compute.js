// Calls of every entry on one thread, the same on two, and what came of them.

import { createAttention, DisposedError, tensor } from "wasm-attention";
import { positions, rotate } from "wasm-attention/positions";
import { attendBackward, training } from "wasm-attention/training";

const dims = [1, 4, 300, 64];
const x = tensor(
  Float32Array.from({ length: 4 * 300 * 64 }, (_, i) => Math.sin(i * 1.7)),
  dims,
);

async function compute(threads) {
  const extensions = [positions, training];
  const attention = await createAttention({ threads, worker: globalThis.worker, extensions });
  const causal = { causal: true };
  const { output, logSumExp } = attention.attend(x, x, x, { ...causal, logSumExp: true });
  const pass = { query: x, key: x, value: x, output, logSumExp, outputGradient: x };
  const { keyGradient } = attendBackward(attention, pass, causal);
  const rotated = rotate(attention, keyGradient);
  const { variant, threads: used, threadsFallback } = attention;
  attention.dispose();
  return { data: output.data, rotated, variant, threads: used, threadsFallback, attention };
}

async function both() {
  const one = await compute(1);
  const two = await compute(2);
  const equal = (a, b) => a.every((element, i) => element === b[i]);
  return {
    data: Array.from(one.data.filter((_, i) => i % 997 === 0)),
    same: equal(one.data, two.data) && equal(one.rotated.data, two.rotated.data),
    oneCopy: refused(() => rotate(one.attention, x)) instanceof DisposedError,
    variant: one.variant,
    threads: [one.threads, two.threads],
    fallback: two.threadsFallback,
  };
}

/** By one entry, with an error of another's. */
function refused(work) {
  try {
    work();
    return undefined;
  } catch (error) {
    return error;
  }
}

export const computed = both().catch((error) => ({ error: String(error) }));
