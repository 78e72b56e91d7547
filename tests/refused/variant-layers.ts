import { type Tensor, tensor } from "wasm-attention";
import {
  AdditiveAttention,
  type AdditiveLayerOptions,
  type AdditiveWeights,
  additiveLayerBackward,
  MonotonicAttention,
  monotonicLayerBackward,
} from "wasm-attention/variants";
import { type Call, none, q, type Refusal, zeros } from "./refusal";

export const ones = (...dims: number[]): Tensor => {
  const x = zeros(...dims);
  x.data.fill(1);
  return x;
};
export const layerWeights = {
  query: { weight: zeros(5, 7), order: "in,out" },
  key: { weight: zeros(7, 4), order: "out,in" },
  scoreWeight: ones(7),
} as const satisfies AdditiveWeights;
const [query, key] = [zeros(2, 3, 5), zeros(2, 6, 4)];

const made =
  (more: object): Call =>
  (attention) =>
    new AdditiveAttention(attention, { ...layerWeights, ...more });
const forward =
  (inputs: object, options: object = {}): Call =>
  (attention) => {
    using layer = new AdditiveAttention(attention, layerWeights);
    return layer.forward({ query, key, ...inputs }, options as AdditiveLayerOptions);
  };
const back =
  (pass: object, options: object = {}): Call =>
  (attention) => {
    using layer = new AdditiveAttention(attention, layerWeights);
    const outputGradient = zeros(2, 3, 4);
    return additiveLayerBackward(layer, { query, key, outputGradient, ...pass }, options);
  };
const updated =
  (more: object): Call =>
  (attention) => {
    using layer = new AdditiveAttention(attention, layerWeights);
    layer.update(more);
  };
const aligned =
  (inputs: object, options: object = {}, more: object = {}): Call =>
  (attention) => {
    using layer = new MonotonicAttention(attention, { ...layerWeights, ...more });
    return layer.forward({ query, key, ...inputs }, options);
  };
const alignedBack =
  (pass: object, options: object = {}): Call =>
  (attention) => {
    using layer = new MonotonicAttention(attention, layerWeights);
    const [outputGradient, energies] = [zeros(2, 3, 4), zeros(2, 3, 6)];
    const given = { query, key, outputGradient, energies, alignment: energies };
    return monotonicLayerBackward(layer, { ...given, ...pass }, options);
  };
const unknown = "got an option that does not exist";

export const layersRefused: readonly Refusal[] = [
  [
    'AdditiveAttention: "weights" expected an object, got undefined',
    (attention) => new AdditiveAttention(attention, none),
  ],
  [
    `AdditiveAttention: "weights.memory" expected one of query, key, scoreWeight, scoreBias, scoreScale, ${unknown}`,
    made({ memory: layerWeights.key }),
  ],
  [
    'AdditiveAttention: "key" expected a projection { weight, order, bias? }, got undefined',
    made({ key: undefined }),
  ],
  [
    'AdditiveAttention: "query.order" expected "out,in" or "in,out", got undefined',
    made({ query: { weight: zeros(5, 7) } }),
  ],
  [
    'AdditiveAttention: "key.weight.dims" expected [Ek] → [7], as the query\'s, got [6, 4]',
    made({ key: { weight: zeros(6, 4), order: "out,in" } }),
  ],
  ['AdditiveAttention: "scoreWeight" expected 7 elements, got 6', made({ scoreWeight: ones(6) })],
  ['AdditiveAttention: "scoreBias" expected 7 elements, got 8', made({ scoreBias: ones(8) })],
  [
    'AdditiveAttention: "scoreScale" expected a finite number, got NaN',
    made({ scoreScale: Number.NaN }),
  ],
  [
    'AdditiveAttention: "scoreWeight" expected numbers that are not all 0, for g·v/‖v‖, got a norm of 0',
    made({ scoreScale: 1, scoreWeight: zeros(7) }),
  ],
  [
    'AdditiveAttention: "scoreWeight" expected numbers that are not all 0, for g·v/‖v‖, got a norm of NaN',
    made({ scoreScale: 1, scoreWeight: new Float32Array(7).fill(Number.NaN) }),
  ],
  [
    'forward: "query.dims" expected […, in] with in = 5, got [2, 3, 4]',
    forward({ query: zeros(2, 3, 4) }),
  ],
  [
    'forward: "key.dims" expected […, in] with in = 4, got [2, 6, 5]',
    forward({ key: zeros(2, 6, 5) }),
  ],
  ['forward: "key" expected a tensor { data, dims }, got undefined', forward({ key: undefined })],
  [
    'forward: "keyLengths[0]" expected an integer from 0 to 6, got 7',
    forward({}, { keyLengths: [7, 1] }),
  ],
  [
    'forward: "alpha" expected a number from 1 + 2⁻¹⁰ to 1024 (softmax is its limit at 1), got 1',
    forward({}, { alpha: 1 }),
  ],
  [
    `forward: "heads" expected one of causal, queryOffset, mask, blockMask, window, softcap, alibi, scoreMod, keyLengths, queryLengths, weights, scores, out, weightMod, alpha, logSumExp, ${unknown}`,
    forward({}, { heads: 2 }),
  ],
  [
    'additiveLayerBackward: "layer" expected an AdditiveAttention, got null',
    () => additiveLayerBackward(null as never, none),
  ],
  [
    'additiveLayerBackward: "outputGradient.dims" expected [2, 3, 4], got [1, 2, 4, 8]',
    back({ outputGradient: q }),
  ],
  [
    'additiveLayerBackward: "weightsGradient.dims" expected [2, 1, 3, 6], got [2, 3, 6]',
    back({ weightsGradient: zeros(2, 3, 6) }),
  ],
  [
    'monotonicLayerBackward: "layer" expected a MonotonicAttention, got null',
    () => monotonicLayerBackward(null as never, none),
  ],
  [
    'monotonicLayerBackward: "energies.dims" expected [2, 3, 6], got [2, 6, 3]',
    alignedBack({ energies: zeros(2, 6, 3) }),
  ],
  [
    'monotonicLayerBackward: "alignment.dims" expected [2, 3, 6], got [3, 6]',
    alignedBack({ alignment: zeros(3, 6) }),
  ],
  [
    'monotonicLayerBackward: "outputGradient.dims" expected [2, 3, 4], got [2, 3, 6]',
    alignedBack({ outputGradient: zeros(2, 3, 6) }),
  ],
  [
    'monotonicLayerBackward: "alignmentGradient.dims" expected [2, 3, 6], got [6]',
    alignedBack({ alignmentGradient: zeros(6) }),
  ],
  [
    'monotonicLayerBackward: "mode" expected "recursive" or "parallel": a choice has no gradient, got "hard"',
    alignedBack({}, { mode: "hard" }),
  ],
  [
    'update: "scoreBias" expected no value for a layer without one, got an object with {data, dims}',
    updated({ scoreBias: ones(7) }),
  ],
  [
    'update: "scoreScale" expected no value for a layer without one, got 1',
    updated({ scoreScale: 1 }),
  ],
  ['update: "scoreWeight" expected 7 elements, got 1', updated({ scoreWeight: ones(1) })],
  [
    'update: "key.weight.dims" expected [7, 4], got [4, 7]',
    updated({ scoreWeight: ones(7), key: { weight: zeros(4, 7) } }),
  ],
  [
    'MonotonicAttention: "scoreOffset" expected a finite number, got Infinity',
    aligned({}, {}, { scoreOffset: Infinity }),
  ],
  [
    'forward: "mode" expected "recursive", "parallel" or "hard", got "soft"',
    aligned({}, { mode: "soft" }),
  ],
  ['forward: "previous.dims" expected [2, 6], got [6]', aligned({}, { previous: zeros(6) })],
  ['forward: "value.dims" expected [2, 6, Dv], got [2, 5, 4]', aligned({ value: zeros(2, 5, 4) })],
  [
    `forward: "logits" expected one of mode, previous, keyLengths, ${unknown}`,
    aligned({}, { logits: true }),
  ],
  ['forward: "value" expected a tensor { data, dims }, got NaN', aligned({ value: Number.NaN })],
  [
    'forward: "key.dims" expected [B, S, Hkv·D] with B = 2, got B = 1 in [1, 6, 7]',
    aligned({ key: tensor(new Float32Array(24), [1, 6, 4]) }),
  ],
];
