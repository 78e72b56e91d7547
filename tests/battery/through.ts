// Gradients through what attend returns besides its output, and through functions of the caller's.

import { filled } from "./numbers";
import type { Operation } from "./operations";

const { values } = Object;

export const through: readonly Operation[] = [
  [
    "attendBackward through weights, logSumExp and a relative bias",
    (attention, wasm) => {
      const [q, k] = [filled([2, 4, 70, 24], 271), filled([2, 2, 150, 24], 272)];
      const v = filled([2, 2, 150, 40], 273);
      const mask = wasm.relativeBias(filled([4, 2 * 150 - 1], 274));
      const forward = { mask, causal: "lower-right" } as const;
      const asked = { ...forward, weights: true, logSumExp: true } as const;
      const state = attention.attend(q, k, v, asked);
      const pass = {
        ...{ query: q, key: k, value: v, ...state },
        outputGradient: filled(state.output.dims, 275),
        weightsGradient: filled(state.weights.dims, 276),
        logSumExpGradient: filled(state.logSumExp.dims, 277),
      };
      const back = wasm.attendBackward(attention, pass, { ...forward, gradients: { mask: true } });
      return [...values(state), ...values(back)];
    },
  ],
  [
    "attendBackward through a scoreMod",
    (attention, wasm) => {
      const [q, k] = [filled([2, 2, 9, 16], 281), filled([2, 2, 21, 16], 282)];
      const v = filled([2, 2, 21, 16], 283);
      const halve = (numbers: Float32Array) => {
        for (let i = 0; i < numbers.length; i++) numbers[i] *= 0.5;
      };
      const forward = {
        softcap: 3,
        scoreMod: ({ scores }: { readonly scores: Float32Array }) => halve(scores),
      };
      const sums = new Float32Array(2);
      const scoreModGradient = (tile: {
        readonly gradients: Float32Array;
        readonly scores: Float32Array;
        readonly head: number;
      }) => {
        tile.gradients.forEach((g, i) => {
          sums[tile.head] = Math.fround(sums[tile.head] + Math.fround(g * tile.scores[i]));
        });
        halve(tile.gradients);
      };
      const state = attention.attend(q, k, v, { ...forward, logSumExp: true });
      const pass = { query: q, key: k, value: v, ...state, outputGradient: q };
      const back = wasm.attendBackward(attention, pass, { ...forward, scoreModGradient });
      return [...values(back), sums];
    },
  ],
];
