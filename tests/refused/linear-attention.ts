// What the attentions by a state and their convolution refuse.

import type { Tensor } from "wasm-attention";
import {
  causalConv,
  causalConvBackward,
  linearAttention,
  linearAttentionBackward,
} from "wasm-attention/variants";
import { type Call, q, type Refusal, zeros } from "./refusal";

const [k, other] = [zeros(1, 2, 6, 8), zeros(1, 2, 4, 6)];
const lined =
  (options: object, query: Tensor = q, key: Tensor = q, value: Tensor = q): Call =>
  (attention) =>
    linearAttention(attention, query, key, value, options);
const convolved =
  (options: object, x: Tensor = zeros(1, 2, 5), weight: Tensor = zeros(2, 1, 3)): Call =>
  (attention) =>
    causalConv(attention, x, weight, options as never);
const convolvedBack =
  (options: object, given: object = {}): Call =>
  (attention) =>
    causalConvBackward(
      attention,
      {
        ...{ x: zeros(1, 2, 5), weight: zeros(2, 1, 3), outputGradient: zeros(1, 2, 5) },
        ...given,
      },
      options as never,
    );
const pass = { query: q, key: q, value: q, outputGradient: q };
const unknown = "got an option that does not exist";

export const linearAttentionRefused: readonly Refusal[] = [
  ...([Number.NaN, Infinity, -Infinity] as const).map(
    (bad): Refusal => [
      `linearAttention: "eps" expected a finite number from 0, got ${bad}`,
      lined({ eps: bad }),
    ],
  ),
  ['causalConv: "bias" expected 2 elements, got 1', convolved({ bias: new Float32Array(1) })],
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
    'linearAttentionBackward: "stateGradient.dims" expected [1, 2, 8, 8], got [1]',
    (attention) => linearAttentionBackward(attention, { ...pass, stateGradient: zeros(1) }),
  ],
  [
    'linearAttentionBackward: "out.decay" expected no value without a decay, got one',
    (attention) => linearAttentionBackward(attention, pass, { out: { decay: q } }),
  ],
  [
    'linearAttentionBackward: "out.beta" expected no value without a beta, got one',
    (attention) => linearAttentionBackward(attention, pass, { out: { beta: q } }),
  ],
  [
    'linearAttentionBackward: "beta" expected a tensor { data, dims }, got undefined',
    (attention) => linearAttentionBackward(attention, pass, { updateRule: "delta" }),
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
  [
    'causalConvBackward: "pass" expected { x, weight, outputGradient, stateGradient? }, got undefined',
    (attention) => causalConvBackward(attention, undefined as never),
  ],
  [
    'causalConvBackward: "outputGradient.dims" expected [1, 2, 5], got [1, 2, 4]',
    convolvedBack({}, { outputGradient: zeros(1, 2, 4) }),
  ],
  [
    'causalConvBackward: "stateGradient.dims" expected [1, 2, 2], got [1, 2, 3]',
    convolvedBack({}, { stateGradient: zeros(1, 2, 3) }),
  ],
  [
    'causalConvBackward: "out.bias" expected no value without a bias, got one',
    convolvedBack({ out: { bias: zeros(2) } }),
  ],
  [
    'causalConvBackward: "out.weight.dims" expected [2, 1, 3], got [2, 3]',
    convolvedBack({ out: { weight: zeros(2, 3) } }),
  ],
  [
    'causalConvBackward: "activation" expected "silu" or no value, got "relu"',
    convolvedBack({ activation: "relu" }),
  ],
];
