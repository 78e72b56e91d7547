// attendBackward beside our own attend, turn by turn, on allocated tensors: the ratio is how many
// forward passes a backward pass takes. Its five products are two and a half times forward's two.

import type { Attention } from "wasm-attention";
import { attendBackward } from "wasm-attention/training";
import { random } from "./cases";
import { exchanged, paired } from "./paired";
import type { Case } from "./peers/peer";
import type { Report } from "./rows";

export const backwardCases: readonly Case[] = [512, 128, 1024, 2048].flatMap((n) =>
  [false, true].map((causal) => ({ heads: 12, n, d: 64, causal })),
);

export async function benchBackward(
  attention: Attention<"training">,
  c: Case,
  report: Report,
): Promise<void> {
  const dims = [1, c.heads, c.n, c.d];
  const size = c.heads * c.n * c.d;
  const tensors = Array.from({ length: 8 }, () => attention.allocate(dims));
  const [query, key, value, gradient, output, ...gradients] = tensors;
  for (const [seed, x] of [query, key, value, gradient].entries())
    x.data.set(random(size + seed).subarray(seed));
  const { causal } = c;
  const forward = () =>
    attention.attend(query, key, value, { causal, logSumExp: true, out: output });
  const { logSumExp } = forward();
  const pass = { query, key, value, output, logSumExp, outputGradient: gradient };
  const [q, k, v] = gradients;
  const options = { causal, out: { query: q, key: k, value: v } };
  const backward = () => {
    attendBackward(attention, pass, options);
  };
  const pair = await paired(
    () => void forward(),
    () => backward(),
  );
  const facts = { op: "backward", build: attention.variant, threads: 1, place: "allocated" };
  report({ ...facts, ...c, peer: "our forward", ...exchanged(pair) });
  for (const made of tensors) made.dispose();
}
