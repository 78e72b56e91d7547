import type { Tensor } from "wasm-attention";
import {
  additiveAttention,
  additiveAttentionBackward,
  entmax,
  entmaxBackward,
  locationSensitiveAttention,
  locationSensitiveAttentionBackward,
  monotonicAttention,
  monotonicBackward,
  spanAttend,
  spanAttendBackward,
  sparseAttend,
  sparseAttendBackward,
  weightedSum,
  weightedSumBackward,
} from "wasm-attention/variants";
import { normalizersRefused } from "./normalizer";
import { type Call, q, type Refusal, zeros } from "./refusal";
import { layersRefused } from "./variant-layers";

const [k, other] = [zeros(1, 2, 6, 8), zeros(1, 2, 4, 6)];
const sparse =
  (options: object): Call =>
  (attention) =>
    sparseAttend(attention, q, k, k, options as never);
const added =
  (options: object): Call =>
  (attention) =>
    additiveAttention(attention, q, k, k, options as never);
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
const locatedBack =
  (options: object, given: object = {}): Call =>
  (attention) =>
    locationSensitiveAttentionBackward(
      attention,
      {
        ...{ query: zeros(1, 8), key: zeros(1, 6, 8), value: zeros(1, 6, 5) },
        ...{ outputGradient: zeros(1, 5), ...given },
      },
      { ...{ filters: zeros(3, 2, 5), locationWeight: zeros(3, 8) }, ...options },
    );
const pass = { query: q, key: q, value: q, outputGradient: q };

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
  ...([Number.NaN, Infinity, -Infinity, 0.5, 1, 1025] as const).flatMap((alpha): Refusal[] => {
    const expected = "a number from 1 + 2⁻¹⁰ to 1024 (softmax is its limit at 1)";
    return [
      [`additiveAttention: "alpha" expected ${expected}, got ${alpha}`, added({ alpha })],
      [
        `locationSensitiveAttention: "alpha" expected ${expected}, got ${alpha}`,
        located({ alpha }),
      ],
    ];
  }),
  ...([Number.NaN, Infinity, -Infinity] as const).flatMap((bad): Refusal[] => [
    [
      `spanAttend: "spans" expected a number from 0 to 16777216, or 2, one for each head, got ${bad}`,
      (attention) => spanAttend(attention, q, k, k, { spans: bad }),
    ],
    [
      `spanAttendBackward: "ramp" expected a number from 1 to 16777216, got ${bad}`,
      (attention) => spanAttendBackward(attention, pass, { spans: 1, ramp: bad }),
    ],
  ]),
  [
    'spanAttendBackward: "spans" expected a number from 0 to 16777216, or 2, one for each head, got [1]',
    (attention) => spanAttendBackward(attention, pass, { spans: [1] }),
  ],
  [
    'spanAttendBackward: "outputGradient.dims" expected [1, 2, 4, 8], got [1, 2, 4, 6]',
    (attention) => spanAttendBackward(attention, { ...pass, outputGradient: other }, { spans: 1 }),
  ],
  [
    'locationSensitiveAttention: "keyLengths[0]" expected an integer from 0 to 6, got NaN',
    located({ keyLengths: [Number.NaN] }),
  ],
  [
    'monotonicBackward: "alignment.dims" expected [3, 4], got [4, 3]',
    (attention) => {
      const p = zeros(3, 4);
      return monotonicBackward(attention, {
        probabilities: p,
        alignment: zeros(4, 3),
        alignmentGradient: p,
      });
    },
  ],
  [
    'weightedSum: "weights.dims" expected [..., L, S], got [4]',
    (attention) => weightedSum(attention, zeros(4), q),
  ],
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
  [
    'locationSensitiveAttentionBackward: "outputGradient.dims" expected [1, 5], got [1, 1, 5]',
    locatedBack({}, { outputGradient: zeros(1, 1, 5) }),
  ],
  [
    'locationSensitiveAttentionBackward: "weightsGradient.dims" expected [1, 6], got [6]',
    locatedBack({}, { weightsGradient: zeros(6) }),
  ],
  [
    'locationSensitiveAttentionBackward: "stateGradient" expected { previous, cumulative }, got a tensor',
    locatedBack({}, { stateGradient: zeros(1, 6) }),
  ],
  [
    'locationSensitiveAttentionBackward: "stateGradient.previous.dims" expected [1, 6], got [6]',
    locatedBack({}, { stateGradient: { previous: zeros(6), cumulative: zeros(1, 6) } }),
  ],
  [
    'locationSensitiveAttentionBackward: "out.key.dims" expected [1, 6, 8], got [6, 8]',
    locatedBack({ out: { key: zeros(6, 8) } }),
  ],
  [
    'locationSensitiveAttentionBackward: "out" expected { query?, key?, value?, filters?, locationWeight? }, got undefined',
    locatedBack({ accumulate: true }),
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
  ...normaliserRefused,
  ...normalizersRefused,
  ...otherRefused,
];
