// attend in integers beside our own in float32, on the same tensors, turn by turn.

import type { Attention } from "wasm-attention";
import { int8, int8Lowering, int16 } from "wasm-attention/integers";
import { random } from "./cases";
import { paired } from "./paired";
import type { Case } from "./peers/peer";
import type { Report } from "./rows";

export const integerCases: readonly Case[] = [512, 1024, 2048].flatMap((n) =>
  [false, true].map((causal) => ({ heads: 12, n, d: 64, causal })),
);

export async function benchIntegers(
  attention: Attention<"integers">,
  c: Case,
  report: Report,
): Promise<void> {
  const { heads, n, d, causal } = c;
  const dims = [1, heads, n, d];
  const [q, k, v, out] = [1, 2, 3, 4].map((seed) => {
    const made = attention.allocate(dims);
    made.data.set(random(heads * n * d + seed).subarray(seed));
    return made;
  });
  const { variant: build, threads } = attention;
  try {
    for (const precision of [int16, int8]) {
      const lowering = precision === int8 ? ` (${int8Lowering(attention)})` : "";
      const op = `attend ${precision.name}${lowering}`;
      const pair = await paired(
        () => void attention.attend(q, k, v, { causal, out, precision }),
        () => void attention.attend(q, k, v, { causal, out }),
      );
      report({ op, build, threads, ...c, place: "allocated", peer: "float32", ...pair });
    }
  } finally {
    for (const made of [q, k, v, out]) made.dispose();
  }
}
