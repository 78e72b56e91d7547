import { appendedKeys, MultiHeadAttention } from "wasm-attention";
import { createCache } from "wasm-attention/cache";
import { int16 } from "wasm-attention/integers";
import {
  alphaEntmax,
  alphaNormmax,
  attendLatent,
  budget,
  entmax,
  entmaxBackward,
  modifiedWeights,
  sparseAttend,
  sparseAttendBackward,
  sparsemax,
} from "wasm-attention/variants";
import { eyes } from "./multihead";
import { type Call, q, type Refusal, zeros } from "./refusal";

const k = zeros(1, 2, 6, 8);
const normal =
  (options: object): Call =>
  (attention) =>
    attention.attend(q, k, k, options as never);
const pass = { query: q, key: q, value: q, outputGradient: q };

export const normalizersRefused: readonly Refusal[] = [
  [
    'alphaEntmax: "alpha[1]" expected a number from 1 + 2⁻¹⁰ to 1024 (softmax is its limit at 1), got 1',
    () => alphaEntmax([2, 1]),
  ],
  ['alphaEntmax: "alpha" expected a number, or one for each head, got []', () => alphaEntmax([])],
  ...([1, 0.5, 1025, Number.NaN, Infinity, -Infinity] as const).map(
    (alpha): Refusal => [
      `alphaNormmax: "alpha" expected a number from 1 + 2⁻¹⁰ to 1024, got ${alpha}`,
      () => alphaNormmax(alpha),
    ],
  ),
  ...([0, -1, 2 ** 24 + 2, Number.NaN, Infinity, -Infinity] as const).map(
    (total): Refusal => [
      `budget: "total" expected a number from 2⁻¹⁰ to 16777216, got ${total}`,
      () => budget(total),
    ],
  ),
  ['budget: "total[1]" expected a number from 2⁻¹⁰ to 16777216, got 0', () => budget([2, 0])],
  ['budget: "total" expected a number, or one for each head, got []', () => budget([])],
  [
    'attend: "normalizer" expected a budget for each of 2 heads, got 3',
    normal({ normalizer: budget([2, 2, 2]) }),
  ],
  [
    'entmax: "alpha" expected no value with a normalizer, got 2',
    (attention) => entmax(attention, k, { alpha: 2, normalizer: sparsemax }),
  ],
  [
    'entmax: "normalizer" expected sparsemax, entmax15 or what alphaEntmax, alphaNormmax or budget made, of one number, got an object with {name, option}',
    (attention) => entmax(attention, k, { normalizer: budget([1, 2]) }),
  ],
  [
    'entmaxBackward: "normalizer" expected sparsemax, entmax15 or what alphaEntmax, alphaNormmax or budget made, of one number, got "budget"',
    (attention) => entmaxBackward(attention, k, k, { normalizer: "budget" as never }),
  ],
  [
    'attend: "normalizer" expected an alpha for each of 2 heads, got 3',
    normal({ normalizer: alphaEntmax([2, 2, 2]) }),
  ],
  [
    'attend: "normalizer" expected a normalizer, such as `entmax15` of wasm-attention/variants, got "sparsemax"',
    normal({ normalizer: "sparsemax" }),
  ],
  [
    'attend: "normalizer" expected a normalizer, such as `entmax15` of wasm-attention/variants, got an object with {name, option}',
    normal({ normalizer: { ...sparsemax } }),
  ],
  [
    'attend: "normalizer" expected a normalizer, such as `entmax15` of wasm-attention/variants, got an object with {name, option}',
    normal({ normalizer: int16 }),
  ],
  [
    'attend: "sinks" expected no value with a normalizer: it has none, got [1, 1]',
    normal({ normalizer: sparsemax, sinks: [1, 1] }),
  ],
  [
    'attend: "dropout" expected no value with a normalizer: which weights are 0 follows from the scores, got an object with {probability, seed}',
    normal({ normalizer: sparsemax, dropout: { probability: 0.5, seed: 1 } }),
  ],
  [
    'attend: "logSumExp" expected no value with a normalizer: its results are not merged by it, as those of appended keys are, got true',
    normal({ normalizer: sparsemax, logSumExp: true }),
  ],
  [
    'attend: "precision" expected no value with a normalizer: it computes in float32, got an object with {name, option}',
    normal({ normalizer: sparsemax, precision: int16 }),
  ],
  [
    'forward: "logSumExp" expected no value with a normalizer: its results are not merged by it, as those of appended keys are, got true',
    (attention) => {
      const appended = appendedKeys({ addZeroAttention: true });
      using layer = new MultiHeadAttention(attention, { heads: 2, appended }, eyes as never);
      return layer.forward(zeros(4, 8), { normalizer: sparsemax });
    },
  ],
  [
    'attend: "normalizer" expected no value with a cache, whose pages are read by softmax alone, got an object with {name, option}',
    (attention) => {
      using cache = createCache(attention, { keyValueHeads: 2, headSize: 8 });
      cache.append(q, q);
      return cache.attend(q, { normalizer: sparsemax });
    },
  ],
  [
    'modifiedWeights: "weightMod" expected a function, got undefined',
    () => modifiedWeights({} as never),
  ],
  [
    'modifiedWeights: "weightModGradient" expected a function, got 2',
    () => modifiedWeights({ weightMod: () => undefined, weightModGradient: 2 as never }),
  ],
  [
    'modifiedWeights: "normalizer" expected sparsemax, entmax15 or what alphaEntmax, alphaNormmax or budget made, got an object with {name, option}',
    () => modifiedWeights({ weightMod: () => undefined, normalizer: { ...sparsemax } }),
  ],
  [
    'sparseAttend: "weightMod" expected a function, got true',
    (a) => sparseAttend(a, q, k, k, { weightMod: true as never }),
  ],
  [
    'sparseAttendBackward: "weightModGradient" expected a function, with weightMod, got undefined',
    (attention) => sparseAttendBackward(attention, pass, { weightMod: () => undefined }),
  ],
  [
    'attendLatent: "options" expected { valueSize, … }, got undefined',
    (attention) => attendLatent(attention, q, k, undefined as never),
  ],
  [
    'attendLatent: "valueSize" expected an integer from 1, got 0',
    (attention) => attendLatent(attention, q, k, { valueSize: 0 }),
  ],
  [
    'attendLatent: "valueSize" expected at most D = 8, got 9',
    (attention) => attendLatent(attention, q, k, { valueSize: 9 }),
  ],
  [
    'attendLatent: "latent" expected a tensor { data, dims }, got 1',
    (attention) => attendLatent(attention, q, 1 as never, { valueSize: 9 }),
  ],
];
