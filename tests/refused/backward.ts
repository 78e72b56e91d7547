import type { Tensor } from "wasm-attention";
import { attendBackward, attendPackedBackward, attendQkvBackward } from "wasm-attention/training";
import { modifiedWeights, sparsemax } from "wasm-attention/variants";
import { layerBackwardRefused } from "./layer-backward";
import { linearBackwardRefused } from "./linear-backward";
import { type Call, q, type Refusal, zeros } from "./refusal";

const lse = zeros(1, 2, 4);
const good = { output: q, logSumExp: lse };

const backward =
  (options: object, dy: Tensor = q, state: unknown = good): Call =>
  (attention) =>
    attendBackward(
      attention,
      { ...(state as typeof good), query: q, key: q, value: q, outputGradient: dy },
      options,
    );

const packedBackward =
  (options: object): Call =>
  (attention) => {
    const x = zeros(4, 2, 8);
    const state = { output: x, logSumExp: zeros(2, 4) };
    return attendPackedBackward(
      attention,
      { ...state, query: x, key: x, value: x, outputGradient: x },
      options as never,
    );
  };

const qkvBackward =
  (options: object, pass: object = {}): Call =>
  (attention) => {
    const x = zeros(1, 4, 2, 8);
    const state = { output: x, logSumExp: zeros(1, 2, 4), outputGradient: x };
    return attendQkvBackward(
      attention,
      { qkv: zeros(1, 4, 3, 2, 8), ...state, ...pass } as never,
      options as never,
    );
  };

const dropped =
  (dropout: unknown): Call =>
  (attention) =>
    attention.attend(q, q, q, { dropout: dropout as never });

const attendBackwardRefused: Refusal[] = [
  [
    'attendBackward: "outputGradient" expected a tensor { data, dims }, got 3',
    backward({}, 3 as never),
  ],
  [
    'attendBackward: "outputGradient.dims" expected [1, 2, 4, 8], got [1, 2, 8, 4]',
    backward({}, zeros(1, 2, 8, 4)),
  ],
  [
    'attendBackward: "pass" expected { query, key, value, output, logSumExp, outputGradient }, got undefined',
    (attention) => attendBackward(attention, undefined as never),
  ],
  [
    'attendBackward: "output.dims" expected [1, 2, 4, 8], got [1, 4, 2, 8]',
    backward({}, q, { output: zeros(1, 4, 2, 8), logSumExp: lse }),
  ],
  [
    'attendBackward: "logSumExp" expected what attend returned with logSumExp: true, got undefined',
    backward({}, q, { output: q }),
  ],
  [
    'attendBackward: "logSumExp.dims" expected [1, 2, 4], got [1, 4, 2]',
    backward({}, q, { output: q, logSumExp: zeros(1, 4, 2) }),
  ],
  ['attendBackward: "options" expected an object, got null', backward(null as never)],
  ['attendBackward: "scale" expected a finite number, got NaN', backward({ scale: NaN })],
  [
    'attendBackward: "scoreModGradient" expected a function, with scoreMod, got undefined',
    backward({ scoreMod: () => undefined }),
  ],
  [
    'attendBackward: "scoreMod" expected a function, with scoreModGradient, got undefined',
    backward({ scoreModGradient: () => undefined }),
  ],
  [
    'attendBackward: "scoreModGradient" expected a function, got 1',
    backward({ scoreMod: () => undefined, scoreModGradient: 1 }),
  ],
  [
    'attendBackward: "weights" expected what attend returned with weights: true, got undefined',
    backward({}, q, { output: q, logSumExp: lse, weightsGradient: zeros(1, 2, 4, 4) }),
  ],
  [
    'attendBackward: "weights.dims" expected [1, 2, 4, 4], got [4, 4]',
    backward({}, q, {
      ...{ output: q, logSumExp: lse },
      ...{ weights: zeros(4, 4), weightsGradient: zeros(1, 2, 4, 4) },
    }),
  ],
  [
    'attendBackward: "weightsGradient" expected no value: it is that of each head\'s, not of their mean, got an object with {data, dims}',
    backward({ weights: "mean" }, q, {
      ...{ output: q, logSumExp: lse },
      ...{ weights: zeros(1, 4, 4), weightsGradient: zeros(1, 4, 4) },
    }),
  ],
  [
    'attendBackward: "logSumExpGradient.dims" expected [1, 2, 4], got [2, 4]',
    backward({}, q, { output: q, logSumExp: lse, logSumExpGradient: zeros(2, 4) }),
  ],
  [
    'attendBackward: "gradients.sinks" expected `sinks` to be given, got true without',
    backward({ normalizer: sparsemax, gradients: { sinks: true } }),
  ],
  [
    'attendBackward: "logSumExpGradient" expected no value with a normalizer, which has no logSumExp, got one',
    backward({ normalizer: sparsemax }, q, { logSumExpGradient: lse }),
  ],
  [
    'attendBackward: "weightModGradient" expected a function, with weightMod, got undefined',
    backward({ normalizer: modifiedWeights({ weightMod: () => undefined }) }),
  ],
  [
    'attendBackward: "gradients" expected { mask?, alibi?, sinks? }, got true',
    backward({ gradients: true }),
  ],
  [
    'attendBackward: "gradients.mask" expected a boolean, got 1',
    backward({ gradients: { mask: 1 } }),
  ],
  [
    'attendBackward: "gradients.mask" expected an additive mask, got true without',
    backward({ gradients: { mask: true }, mask: new Uint8Array(16) }),
  ],
  [
    'attendBackward: "gradients.mask" expected an additive mask, got true without',
    backward({ gradients: { mask: true }, mask: [] }),
  ],
  [
    'attendBackward: "gradients.alibi" expected `alibi` to be given, got true without',
    backward({ gradients: { alibi: true } }),
  ],
  [
    'attendBackward: "gradients.sinks" expected `sinks` to be given, got true without',
    backward({ gradients: { sinks: true } }),
  ],
  [
    'attendBackward: "out" expected { query?, key?, value? }, got Float32Array of 64',
    backward({ out: new Float32Array(64) }),
  ],
  [
    'attendBackward: "out" expected { query?, key?, value? }, got undefined',
    backward({ accumulate: true }),
  ],
  [
    'attendBackward: "out.key" expected 1·2·4·8 = 64 elements, got 63',
    backward({ out: { key: new Float32Array(63) } }),
  ],
  [
    'attendBackward: "out.value.dims" expected [1, 2, 4, 8], got [2, 4, 8]',
    backward({ out: { value: zeros(2, 4, 8) } }),
  ],
  [
    'attendBackward: "accumulate" expected a boolean, got "yes"',
    backward({ accumulate: "yes", out: {} }),
  ],
  [
    'attendPackedBackward: "cumulativeQueries[1]" expected the number of tokens, 4, got 3',
    packedBackward({ cumulativeQueries: [0, 3] }),
  ],
  [
    'attendPackedBackward: "keyLengths" expected no value: sequences are laid end to end, got [4]',
    packedBackward({ cumulativeQueries: [0, 4], keyLengths: [4] }),
  ],
  [
    'attendQkvBackward: "pass" expected { qkv, output, logSumExp, outputGradient }, got undefined',
    (attention) => attendQkvBackward(attention, undefined as never),
  ],
  [
    'attendQkvBackward: "pass.query" expected one of qkv, output, logSumExp, weights, scores, outputGradient, weightsGradient, logSumExpGradient, got an option that does not exist',
    qkvBackward({}, { query: q }),
  ],
  [
    'attendQkvBackward: "qkv.dims" expected [B, L, 3, H, D] or [L, 3, H, D], or heads and [B, L, E], got [1, 4, 2, 2, 8]',
    qkvBackward({}, { qkv: zeros(1, 4, 2, 2, 8) }),
  ],
  [
    'attendQkvBackward: "outputGradient.dims" expected [1, 4, 2, 8], got [1, 2, 4, 8]',
    qkvBackward({}, { outputGradient: q }),
  ],
  [
    'attendQkvBackward: "logSumExp" expected what attend returned with logSumExp: true, got undefined',
    qkvBackward({}, { logSumExp: undefined }),
  ],
  [
    'attendQkvBackward: "out" expected 1·4·3·2·8 = 192 elements, got 64',
    qkvBackward({ out: new Float32Array(64) }),
  ],
  [
    'attendQkvBackward: "out" expected what to accumulate to, got undefined',
    qkvBackward({ accumulate: true }),
  ],
  [
    'attendQkvBackward: "accumulate" expected a boolean, got 1',
    qkvBackward({ accumulate: 1, out: new Float32Array(192) }),
  ],
  [
    'attendQkvBackward: "gradients.sinks" expected `sinks` to be given, got true without',
    qkvBackward({ gradients: { sinks: true } }),
  ],
  [
    'attendQkvBackward: "keyValueHeads" expected no value without heads: the dims say it, got 1',
    qkvBackward({ keyValueHeads: 1 }),
  ],
  ['attend: "dropout" expected { probability, seed }, got 0.5', dropped(0.5)],
  [
    'attend: "dropout.probability" expected a number from 0 to less than 1, got 1',
    dropped({ probability: 1, seed: 0 }),
  ],
  [
    'attend: "dropout.probability" expected a number from 0 to less than 1, got NaN',
    dropped({ probability: NaN, seed: 0 }),
  ],
  [
    'attend: "dropout.seed" expected an integer from 0 to 2⁵³ − 1, got undefined',
    dropped({ probability: 0.5 }),
  ],
  [
    'attend: "dropout.seed" expected an integer from 0 to 2⁵³ − 1, got -1',
    dropped({ probability: 0.5, seed: -1 }),
  ],
];

export const backwardRefused: Refusal[] = [
  ...attendBackwardRefused,
  ...linearBackwardRefused,
  ...layerBackwardRefused,
];
