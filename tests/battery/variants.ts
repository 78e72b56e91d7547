// Cases of the other kinds of attention.

import { normalized } from "./normalizers";
import { elements, filled, floats } from "./numbers";
import type { Operation } from "./operations";

const { values } = Object;

/** Below 0, as decays are. */
function decays(dims: readonly number[], seed: number) {
  const { data } = filled(dims, seed, 0.25);
  return { data: data.map((x) => -Math.abs(x)), dims };
}

const positive = (dims: readonly number[], seed: number) => {
  const { data } = filled(dims, seed);
  return { data: data.map(Math.abs), dims };
};

const linear = (["linear", "gated", "delta", "gated_delta"] as const).map(
  (updateRule, index): Operation => [
    `linear attention, ${updateRule}, in two calls`,
    (attention, wasm) => {
      const [q, k] = [
        filled([2, 4, 45, 20], 601 + index),
        filled([2, 2, 45, 20], 605 + index, 0.5),
      ];
      const v = filled([2, 2, 45, 75], 609 + index);
      const options = {
        updateRule,
        ...(updateRule.startsWith("gated") && { decay: decays([2, 2, 45, 20], 613 + index) }),
        ...(updateRule.includes("delta") && { beta: positive([2, 2, 45, 1], 617 + index) }),
        keyLengths: [45, 31],
      };
      const { output, state } = wasm.linearAttention(attention, q, k, v, options);
      return [output, ...values(wasm.linearAttention(attention, q, k, v, { ...options, state }))];
    },
  ],
);

const linearBack: Operation[] = [
  [
    "linear attention with a feature map, full and causal, and back",
    (attention, wasm) =>
      [true, false].flatMap((causal) => {
        const [query, key] = [filled([2, 50, 12], 621), filled([2, causal ? 50 : 33, 12], 622)];
        const value = filled([2, causal ? 50 : 33, 70], 623);
        const options = { featureMap: "elu", causal } as const;
        const { output } = wasm.linearAttention(attention, query, key, value, options);
        const pass = { query, key, value, outputGradient: filled(output.dims, 624) };
        return [output, ...values(wasm.linearAttentionBackward(attention, pass, options))];
      }),
  ],
  [
    "gated linear attention, back, grouped",
    async (attention, wasm) => {
      const [query, key] = [filled([1, 4, 37, 9], 625), filled([1, 2, 37, 9], 626)];
      const pass = {
        ...{ query, key, value: filled([1, 2, 37, 11], 627) },
        outputGradient: filled([1, 4, 37, 11], 628),
        stateGradient: filled([1, 2, 9, 11], 629),
      };
      const options = {
        updateRule: "gated" as const,
        decay: decays([1, 2, 37, 1], 630),
        state: filled([1, 2, 9, 11], 631),
      };
      return values(await wasm.linearAttentionBackwardAsync(attention, pass, options));
    },
  ],
  [
    "linear attention by the delta rules, back, grouped",
    async (attention, wasm) => {
      const [query, key] = [filled([2, 4, 45, 12], 635), filled([2, 2, 45, 12], 636, 0.5)];
      const pass = {
        ...{ query, key, value: filled([2, 2, 45, 70], 637) },
        outputGradient: filled([2, 4, 45, 70], 638),
      };
      const beta = positive([2, 2, 45, 1], 639);
      const gated = { decay: decays([2, 2, 45, 12], 640), keyLengths: [45, 31] };
      const delta = await wasm.linearAttentionBackwardAsync(attention, pass, {
        ...{ updateRule: "delta", beta, state: filled([2, 2, 12, 70], 701) },
      });
      const options = { updateRule: "gated_delta", beta, ...gated } as const;
      return [...values(delta), ...values(wasm.linearAttentionBackward(attention, pass, options))];
    },
  ],
  [
    "a causal convolution, back",
    (attention, wasm) => {
      const pass = {
        ...{ x: filled([2, 5, 131], 702, 4), weight: filled([5, 4], 703) },
        ...{ outputGradient: filled([2, 5, 131], 704), stateGradient: filled([2, 5, 3], 705) },
      };
      const options = { bias: floats(5, 706), activation: "silu" as const };
      const state = filled([2, 5, 3], 707);
      return [undefined, state].flatMap((state) =>
        values(wasm.causalConvBackward(attention, pass, { ...options, state })),
      );
    },
  ],
  [
    "a causal convolution with its state",
    (attention, wasm) => {
      const [x, weight] = [filled([2, 5, 131], 632, 4), filled([5, 1, 4], 633)];
      const options = { bias: floats(5, 634), activation: "silu" } as const;
      const first = wasm.causalConv(attention, x, weight, options);
      const next = wasm.causalConv(attention, x, weight, { ...options, state: first.state });
      return [first.output, ...values(next)];
    },
  ],
];

const sparse: Operation[] = [
  [
    "entmax over every axis, and back",
    (attention, wasm) => {
      const x = filled([4, 150, 7], 641, 4);
      return [1.25, 1.5, 2, 3].flatMap((alpha, index) => {
        const options = { alpha, axis: index % 3 };
        const p = wasm.entmax(attention, x, options);
        const dy = filled(x.dims, 642);
        const { inputGradient, alphaGradient } = wasm.entmaxBackward(attention, dy, p, options);
        return [p, inputGradient, Float32Array.of(alphaGradient)];
      });
    },
  ],
  [
    "normmax and budgets over every axis, and back",
    (attention, wasm) => {
      const x = filled([4, 150, 7], 643, 4);
      const { alphaNormmax, budget } = wasm;
      const each = [alphaNormmax(1.25), alphaNormmax(2), alphaNormmax(50), budget(1.5), budget(3)];
      return each.flatMap((normalizer, index) => {
        const options = { normalizer, axis: index % 3 };
        const p = wasm.entmax(attention, x, options);
        const dy = filled(x.dims, 644);
        const { inputGradient, alphaGradient } = wasm.entmaxBackward(attention, dy, p, options);
        return [p, inputGradient, Float32Array.of(alphaGradient)];
      });
    },
  ],
  [
    "sparse attention of each head its α, and back",
    (attention, wasm) => {
      const [query, key] = [filled([1, 4, 70, 16], 643, 4), filled([1, 2, 150, 16], 644, 4)];
      const value = filled([1, 2, 150, 24], 645);
      const options = { alpha: [1.25, 1.5, 2, 3], causal: "lower-right", weights: true } as const;
      const { output, weights } = wasm.sparseAttend(attention, query, key, value, options);
      const pass = {
        ...{ query, key, value, outputGradient: filled(output.dims, 646) },
        weightsGradient: filled(weights.dims, 647),
      };
      return [output, weights, ...values(wasm.sparseAttendBackward(attention, pass, options))];
    },
  ],
];

const others: Operation[] = [
  [
    "additive attention, masked, and back",
    (attention, wasm) => {
      const [query, key] = [filled([2, 2, 30, 19], 651), filled([2, 2, 140, 19], 652)];
      const value = filled([2, 2, 140, 12], 653);
      const options = {
        ...{ scoreWeight: floats(38, 654), scoreBias: floats(38, 655), window: { left: 20 } },
        mask: { data: floats(140, 656), dims: [1, 140] },
        keyLengths: [140, 77],
        logSumExp: true,
      } as const;
      const { output, logSumExp } = wasm.additiveAttention(attention, query, key, value, options);
      const pass = { query, key, value, outputGradient: filled(output.dims, 657) };
      const back = wasm.additiveAttentionBackward(attention, pass, options);
      return [output, logSumExp, ...values(back)];
    },
  ],
  [
    "spans of each head, and back",
    (attention, wasm) => {
      const [query, key] = [filled([1, 2, 140, 16], 658), filled([1, 2, 140, 16], 659)];
      const value = filled([1, 2, 140, 8], 660);
      const options = { spans: [2.5, 40], ramp: 8, causal: true, logSumExp: true } as const;
      const { output, logSumExp } = wasm.spanAttend(attention, query, key, value, options);
      const pass = { query, key, value, outputGradient: filled(output.dims, 661) };
      const back = wasm.spanAttendBackward(attention, pass, options);
      return [output, logSumExp, ...values(back)];
    },
  ],
  [
    "three steps of location-sensitive attention",
    (attention, wasm) => {
      const [key, value] = [filled([2, 45, 16], 661), filled([2, 45, 10], 662)];
      const options = {
        ...{ filters: filled([6, 2, 9], 663), locationWeight: filled([6, 16], 664) },
        ...{ scoreWeight: floats(16, 665), keyLengths: [45, 20] },
      };
      let state: ReturnType<typeof wasm.locationSensitiveAttention>["state"] | undefined;
      return [666, 667, 668].flatMap((seed) => {
        const query = filled([2, 16], seed);
        const step = wasm.locationSensitiveAttention(attention, query, key, value, {
          ...options,
          state,
        });
        state = step.state;
        return [step.output, step.weights, step.state.cumulative];
      });
    },
  ],
  [
    "a step of location-sensitive attention, back",
    (attention, wasm) => {
      const pass = {
        ...{ query: filled([2, 16], 711), key: filled([2, 45, 16], 712) },
        ...{ value: filled([2, 45, 10], 713), outputGradient: filled([2, 10], 714) },
        weightsGradient: filled([2, 45], 715),
        stateGradient: { previous: filled([2, 45], 716), cumulative: filled([2, 45], 717) },
      };
      const options = {
        ...{ filters: filled([6, 2, 9], 718), locationWeight: filled([6, 16], 719) },
        ...{ scoreWeight: floats(16, 720), scoreBias: floats(16, 721), keyLengths: [45, 20] },
        state: { previous: positive([2, 45], 722), cumulative: positive([2, 45], 723) },
      };
      return [undefined, 1.5].flatMap((alpha) => {
        const back = wasm.locationSensitiveAttentionBackward(attention, pass, {
          ...options,
          alpha,
        });
        const { stateGradient, ...gradients } = back;
        return [...values(gradients), ...values(stateGradient)];
      });
    },
  ],
  [
    "monotonic attention of logits, hard, and back, with its output",
    (attention, wasm) => {
      const probabilities = filled([2, 9, 33], 671, 4);
      const options = { logits: true, keyLengths: [33, 20] };
      const alignment = wasm.monotonicAttention(attention, probabilities, options);
      const hard = wasm.monotonicAttention(attention, probabilities, { ...options, mode: "hard" });
      const value = filled([2, 33, 6], 672);
      const output = wasm.weightedSum(attention, alignment, value);
      const dy = filled(output.dims, 673);
      const sums = wasm.weightedSumBackward(attention, dy, alignment, value);
      const pass = { probabilities, alignment, alignmentGradient: sums.weightsGradient };
      const back = wasm.monotonicBackward(attention, pass, options);
      return [alignment, hard, output, ...values(sums), ...values(back)];
    },
  ],
  [
    "variants, not holding the thread, in linear memory",
    async (attention, wasm) => {
      const shape = [1, 2, 40, 12];
      using x = attention.allocate(shape);
      x.data.set(floats(elements(shape), 681));
      await wasm.linearAttentionAsync(attention, x, x, x, { out: { output: x } });
      await wasm.sparseAttendAsync(attention, x, x, x, { out: x });
      await wasm.entmaxAsync(attention, x, { out: x });
      return [x.data.slice()];
    },
  ],
];

export const variants: readonly Operation[] = [
  ...linear,
  ...linearBack,
  ...sparse,
  ...normalized,
  ...others,
];
