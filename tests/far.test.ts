// Positions and windows as far as they may be: sums of them need more than 32 bits, and distances more
// digits than a float32 of either end has.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type AttendOptions, tensor } from "wasm-attention";
import { engine, variants } from "./engines";

const FARTHEST = 2 ** 30;
const zeros = (rows: number) => tensor(new Float32Array(rows), [rows, 1]);

for (const variant of variants) {
  test(`windows at far positions see what they reach, ${variant}`, async () => {
    using attention = await engine(variant);
    const keys = 300;
    const seen = (options: AttendOptions, queries: number): number[] => {
      const { logSumExp } = attention.attend(zeros(queries), zeros(keys), zeros(keys), {
        ...options,
        logSumExp: true,
      });
      // Scores of 0: the sum is the number of keys.
      return Array.from(logSumExp!.data, (lse) => Math.round(Math.exp(lse)));
    };
    const sides = [0, 1, 299, 300, FARTHEST - 1, FARTHEST];
    for (const queries of [1, 5, 70]) {
      for (const queryOffset of [-FARTHEST, -FARTHEST + 3, -7, 150, FARTHEST - 3, FARTHEST]) {
        for (const left of sides) {
          for (const right of sides) {
            const want = Array.from({ length: queries }, (_, i) => {
              const position = queryOffset + i;
              const from = Math.max(position - left, 0);
              return Math.max(Math.min(position + right, keys - 1) - from + 1, 0);
            });
            const options = { queryOffset, window: { left, right } };
            assert.deepEqual(seen(options, queries), want, JSON.stringify(options));
          }
        }
        for (const causal of [true, "upper-left"] as const) {
          const want = Array.from({ length: queries }, (_, i) =>
            Math.max(Math.min(queryOffset + i + 1, keys), 0),
          );
          assert.deepEqual(seen({ queryOffset, causal }, queries), want);
        }
      }
    }
  });

  test(`ALiBi's distances are those of the integers, ${variant}`, async () => {
    using attention = await engine(variant);
    const keys = 150;
    const distances = {
      absolute: (position: number, key: number) => -Math.abs(position - key),
      signed: (position: number, key: number) => key - position,
      key: (_position: number, key: number) => key,
    };
    for (const far of [2 ** 23, 2 ** 24 - 2, 2 ** 24 + 1, 2 ** 25 + 3, 2 ** 29 + 17, FARTHEST]) {
      for (const queryOffset of [far, -far]) {
        for (const [distance, of] of Object.entries(distances)) {
          for (const queries of [1, 3, 66]) {
            const { scores } = attention.attend(zeros(queries), zeros(keys), zeros(keys), {
              alibi: { slopes: [1], distance: distance as keyof typeof distances },
              queryOffset,
              scores: "biased",
            });
            const want = Float32Array.from({ length: queries * keys }, (_, index) =>
              of(queryOffset + Math.floor(index / keys), index % keys),
            );
            assert.deepEqual(scores!.data, want, `${distance} from ${queryOffset}`);
          }
        }
      }
    }
  });
}
