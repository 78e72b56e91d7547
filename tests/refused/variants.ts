import type { Tensor } from "wasm-attention";
import {
  additiveAttention,
  additiveAttentionBackward,
  causalConv,
  entmax,
  entmaxBackward,
  linearAttention,
  linearAttentionBackward,
  locationSensitiveAttention,
  monotonicAttention,
  monotonicBackward,
  spanAttend,
  sparseAttend,
  sparseAttendBackward,
  weightedSum,
  weightedSumBackward,
} from "wasm-attention/variants";
import { type Call, q, type Refusal, zeros } from "./refusal";
import { layersRefused } from "./variant-layers";

const [k, other] = [zeros(1, 2, 6, 8), zeros(1, 2, 4, 6)];
const lined =
  (options: object, query: Tensor = q, key: Tensor = q, value: Tensor = q): Call =>
  (attention) =>
    linearAttention(attention, query, key, value, options);
const sparse =
  (options: object): Call =>
  (attention) =>
    sparseAttend(attention, q, k, k, options as never);
const added =
  (options: object): Call =>
  (attention) =>
    additiveAttention(attention, q, k, k, options as never);
const convolved =
  (options: object, x: Tensor = zeros(1, 2, 5), weight: Tensor = zeros(2, 1, 3)): Call =>
  (attention) =>
    causalConv(attention, x, weight, options as never);
const aligned =
  (options: object, p: Tensor = zeros(2, 3, 4)): Call =>
  (attention) =>
    monotonicAttention(attention, p, options as never);
const sized =
  (options: object): Call =>
  (attention) =>
    entmax(attention, zeros(2, 3), options as never);
const located =
  (options: object, query: Tensor = zeros(1, 8)): Call =>
  (attention) =>
    locationSensitiveAttention(attention, query, zeros(1, 6, 8), zeros(1, 6, 5), {
      ...{ filters: zeros(3, 2, 5), locationWeight: zeros(3, 8) },
      ...options,
    });
const pass = { query: q, key: q, value: q, outputGradient: q };
const unknown = "got an option that does not exist";

const linearRefused: readonly Refusal[] = [
  [
    'linearAttention: "updateRule" expected one of "linear", "gated", "delta", "gated_delta", got "gla"',
    lined({ updateRule: "gla" }),
  ],
  ['linearAttention: "featureMap" expected "elu", got "relu"', lined({ featureMap: "relu" })],
  ['linearAttention: "normalize" expected a boolean, got 1', lined({ normalize: 1 })],
  [
    'linearAttention: "causal" expected a boolean, got "upper-left"',
    lined({ causal: "upper-left" }),
  ],
  [
    'linearAttention: "causal" expected true, or updateRule "linear", got false with "gated"',
    lined({ causal: false, updateRule: "gated", decay: zeros(1, 2, 4, 1) }),
  ],
  ['linearAttention: "eps" expected a finite number from 0, got -1', lined({ eps: -1 })],
  ['linearAttention: "scale" expected a finite number, got NaN', lined({ scale: Number.NaN })],
  [
    'linearAttention: "query.dims" expected as many rows as the key, 6, or causal: false, got [1, 2, 4, 8]',
    lined({}, q, k, k),
  ],
  ['linearAttention: "key.dims" expected D = 8, got [1, 2, 4, 6]', lined({}, q, other, q)],
  ['linearAttention: "value.dims" expected S = 4, got [1, 2, 6, 8]', lined({}, q, q, k)],
  [
    'linearAttention: "value.dims" expected heads that divide those of the query, 2, or a multiple, got [1, 3, 4, 8]',
    lined({}, q, zeros(1, 1, 4, 8), zeros(1, 3, 4, 8)),
  ],
  [
    'linearAttention: "decay" expected no value with "linear", got an object with {data, dims}',
    lined({ decay: zeros(1, 2, 4, 1) }),
  ],
  [
    'linearAttention: "decay" expected a tensor { data, dims }, got undefined',
    lined({ updateRule: "gated" }),
  ],
  [
    'linearAttention: "decay.dims" expected the axes of the value, the last of 1 or D for each head, got [1, 2, 4, 3]',
    lined({ updateRule: "gated", decay: zeros(1, 2, 4, 3) }),
  ],
  [
    'linearAttention: "beta.dims" expected the axes of the value, the last of 1 for each head, got [1, 2, 3, 1]',
    lined({ updateRule: "delta", beta: zeros(1, 2, 3, 1) }),
  ],
  [
    'linearAttention: "state.dims" expected [1, 2, 8, 8], got [1, 2, 8, 9]',
    lined({ state: zeros(1, 2, 8, 9) }),
  ],
  [
    'linearAttention: "keyLengths" expected an integer from 0 to 4 for each of 1 batches, got [5]',
    lined({ keyLengths: [5] }),
  ],
  [
    'linearAttention: "out" expected { output?, state? }, got an object with {data, dims}',
    lined({ out: q }),
  ],
  [`linearAttention: "rule" expected the name "updateRule", ${unknown}`, lined({ rule: "gated" })],
  [
    'linearAttentionBackward: "updateRule" expected "linear" or "gated": gradients of the delta rules are not computed, got "delta"',
    (attention) =>
      linearAttentionBackward(attention, pass, {
        updateRule: "delta",
        beta: zeros(1, 2, 4, 1),
      }),
  ],
  [
    'linearAttentionBackward: "stateGradient.dims" expected [1, 2, 8, 8], got [1]',
    (attention) => linearAttentionBackward(attention, { ...pass, stateGradient: zeros(1) }),
  ],
  [
    'linearAttentionBackward: "out.decay" expected no value without a decay, got one',
    (attention) => linearAttentionBackward(attention, pass, { out: { decay: q } }),
  ],
  ['causalConv: "x.dims" expected [B, C, L], got [2, 5]', convolved({}, zeros(2, 5))],
  [
    'causalConv: "weight.dims" expected [2, 1, K] or [2, K], K from 1, got [3, 1, 3]',
    convolved({}, zeros(1, 2, 5), zeros(3, 1, 3)),
  ],
  [
    'causalConv: "activation" expected "silu" or no value, got "relu"',
    convolved({ activation: "relu" }),
  ],
  [
    'causalConv: "state.dims" expected [1, 2, 2], got [1, 2, 3]',
    convolved({ state: zeros(1, 2, 3) }),
  ],
];

const normaliserRefused: readonly Refusal[] = [
  [
    'sparseAttend: "alpha" expected a number from 1 + 2⁻¹⁰ to 1024 (softmax is its limit at 1), got 1',
    sparse({ alpha: 1 }),
  ],
  [
    'sparseAttend: "alpha" expected a number, or 2, one for each head, got [2, 2, 2]',
    sparse({ alpha: [2, 2, 2] }),
  ],
  [
    'sparseAttend: "alpha[1]" expected a number from 1 + 2⁻¹⁰ to 1024 (softmax is its limit at 1), got NaN',
    sparse({ alpha: [2, Number.NaN] }),
  ],
  [
    'sparseAttendBackward: "weights" expected true: the gradient is that of each head\'s, got "mean"',
    (attention) =>
      sparseAttendBackward(
        attention,
        { ...pass, weightsGradient: zeros(1, 2, 4, 4) },
        { weights: "mean" },
      ),
  ],
  [
    'sparseAttendBackward: "weightsGradient.dims" expected [1, 2, 4, 4], got [4, 4]',
    (attention) => sparseAttendBackward(attention, { ...pass, weightsGradient: zeros(4, 4) }),
  ],
  [
    'entmax: "alpha" expected a number from 1 + 2⁻¹⁰ to 1024 (softmax is its limit at 1), got Infinity',
    sized({ alpha: Infinity }),
  ],
  ['entmax: "axis" expected an axis of x, -2 to 1, got 2', sized({ axis: 2 })],
  [
    'entmaxBackward: "outputGradient.dims" expected [2, 3], got [3, 2]',
    (attention) => entmaxBackward(attention, zeros(3, 2), zeros(2, 3)),
  ],
];

const otherRefused: readonly Refusal[] = [
  [
    'spanAttend: "spans" expected a number from 0 to 16777216, or 2, one for each head, got -1',
    (attention) => spanAttend(attention, q, k, k, { spans: -1 }),
  ],
  [
    'spanAttend: "ramp" expected a number from 1 to 16777216, got 0',
    (attention) => spanAttend(attention, q, k, k, { spans: 3, ramp: 0 }),
  ],
  [
    'additiveAttention: "scoreWeight" expected 8 elements, got 7',
    added({ scoreWeight: new Float32Array(7) }),
  ],
  [
    'additiveAttention: "scoreBias" expected 16 elements, got 8',
    added({ scoreWeight: zeros(16), scoreBias: new Float32Array(8) }),
  ],
  [
    'additiveAttention: "logSumExp" expected no value with alpha, got true',
    added({ alpha: 2, logSumExp: true }),
  ],
  [
    'additiveAttentionBackward: "outputGradient.dims" expected [1, 2, 4, 8], got [1, 2, 4, 6]',
    (attention) => additiveAttentionBackward(attention, { ...pass, outputGradient: other }),
  ],
  [
    'locationSensitiveAttention: "query.dims" expected [B, D], got [1, 2, 8]',
    located({}, zeros(1, 2, 8)),
  ],
  [
    'locationSensitiveAttention: "filters.dims" expected [filters, 2, K], got [3, 1, 5]',
    located({ filters: zeros(3, 1, 5) }),
  ],
  [
    'locationSensitiveAttention: "locationWeight.dims" expected [3, 8], got [3, 7]',
    located({ locationWeight: zeros(3, 7) }),
  ],
  [
    'locationSensitiveAttention: "state.cumulative.dims" expected [1, 6], got [6]',
    located({ state: { previous: zeros(1, 6), cumulative: zeros(6) } }),
  ],
  ['monotonicAttention: "probabilities.dims" expected [..., L, S], got [4]', aligned({}, zeros(4))],
  [
    'monotonicAttention: "mode" expected "recursive", "parallel" or "hard", got "soft"',
    aligned({ mode: "soft" }),
  ],
  ['monotonicAttention: "previous.dims" expected [2, 4], got [4]', aligned({ previous: zeros(4) })],
  [
    'monotonicAttention: "keyLengths" expected an integer from 0 to 4 for each of 2 rows of steps, got [4, 5]',
    aligned({ keyLengths: [4, 5] }),
  ],
  [
    'monotonicBackward: "mode" expected "recursive" or "parallel": a choice has no gradient, got "hard"',
    (attention) => {
      const p = zeros(3, 4);
      const given = { probabilities: p, alignment: p, alignmentGradient: p };
      return monotonicBackward(attention, given, { mode: "hard" });
    },
  ],
  [
    'weightedSum: "value.dims" expected [2, 4, Dv], got [2, 3, 5]',
    (attention) => weightedSum(attention, zeros(2, 3, 4), zeros(2, 3, 5)),
  ],
  [
    'weightedSumBackward: "outputGradient.dims" expected [2, 3, 5], got [2, 3, 4]',
    (attention) => weightedSumBackward(attention, zeros(2, 3, 4), zeros(2, 3, 4), zeros(2, 4, 5)),
  ],
];

export const variantsRefused: readonly Refusal[] = [
  ...layersRefused,
  ...linearRefused,
  ...normaliserRefused,
  ...otherRefused,
];
