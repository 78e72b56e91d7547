import type { Tensor } from "wasm-attention";
import { MultiHeadAttention, prepareLinear } from "wasm-attention";
import {
  attendBackward,
  attendPackedBackward,
  linearBackward,
  multiHeadBackward,
} from "wasm-attention/training";
import type { Whole } from "../engines";
import { eyes } from "./multihead";
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
    'attendBackward: "logSumExp" expected a tensor { data, dims }, got undefined',
    backward({}, q, { output: q }),
  ],
  [
    'attendBackward: "logSumExp.dims" expected [1, 2, 4], got [1, 4, 2]',
    backward({}, q, { output: q, logSumExp: zeros(1, 4, 2) }),
  ],
  ['attendBackward: "options" expected an object, got null', backward(null as never)],
  ['attendBackward: "scale" expected a finite number, got NaN', backward({ scale: NaN })],
  [
    'attendBackward: "scoreMod" expected no value: a function\'s gradient is not known, got a function',
    backward({ scoreMod: () => undefined }),
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

const linear =
  (options: object, dy: Tensor = zeros(3, 8), x: Tensor = zeros(3, 8), bias = false): Call =>
  (attention) => {
    const given = bias ? { bias: new Float32Array(8) } : {};
    using weight = prepareLinear(attention, zeros(8, 8), { order: "in,out", ...given });
    return linearBackward(attention, dy, x, weight, options);
  };

const update =
  (weight: Tensor, bias?: Float32Array, biased = true): Call =>
  (attention) => {
    const given = biased ? { bias: new Float32Array(8) } : {};
    using prepared = prepareLinear(attention, zeros(4, 8), { order: "in,out", ...given });
    prepared.update(weight, bias);
  };

const linearBackwardRefused: Refusal[] = [
  [
    'linearBackward: "prepared" expected a weight from prepareLinear, got an object with {data, dims}',
    (attention) => linearBackward(attention, q, q, q as never),
  ],
  ['linearBackward: "x.dims" expected […, in] with in = 8, got [3, 7]', linear({}, q, zeros(3, 7))],
  ['linearBackward: "outputGradient.dims" expected [3, 8], got [4, 8]', linear({}, zeros(4, 8))],
  ['linearBackward: "options" expected an object, got 3', linear(3 as never)],
  ['linearBackward: "gradients" expected an object, got true', linear({ gradients: true })],
  [
    'linearBackward: "gradients.input" expected a boolean, got 0',
    linear({ gradients: { input: 0 } }),
  ],
  [
    'linearBackward: "out" expected { input?, weight?, bias? }, got undefined',
    linear({ accumulate: true }),
  ],
  [
    'linearBackward: "out.weight" expected 8·8 = 64 elements, got 8',
    linear({ out: { weight: new Float32Array(8) } }),
  ],
  [
    'linearBackward: "out.bias" expected no value without a bias, got Float32Array of 8',
    linear({ out: { bias: new Float32Array(8) } }),
  ],
  [
    'linearBackward: "out.bias" expected 8 elements, got 7',
    linear({ out: { bias: new Float32Array(7) } }, zeros(3, 8), zeros(3, 8), true),
  ],
  ['update: "weight.dims" expected [4, 8], got [8, 4]', update(zeros(8, 4), new Float32Array(8))],
  ['update: "bias" expected 8 elements, got 4', update(zeros(4, 8), new Float32Array(4))],
  ['update: "bias" expected a bias, as prepareLinear had, got undefined', update(zeros(4, 8))],
  [
    'update: "bias" expected no bias, as in prepareLinear, got Float32Array of 8',
    update(zeros(4, 8), new Float32Array(8), false),
  ],
];

const layer =
  (call: (layer: MultiHeadAttention, attention: Whole) => unknown, config = {}): Call =>
  (attention) => {
    using made = new MultiHeadAttention(attention, { heads: 2, ...config }, eyes as never);
    return call(made, attention);
  };

const back =
  (options: object, dy: Tensor = zeros(4, 8), config = {}): Call =>
  (attention) =>
    layer((made) => {
      const { record } = made.forward(zeros(4, 8), { record: true });
      using kept = record as NonNullable<typeof record>;
      return multiHeadBackward(made, dy, kept, options);
    }, config)(attention);
const biased = { biasKeyValue: { key: zeros(8), value: zeros(8) } };

const record = { record: true };
const layerBackwardRefused: Refusal[] = [
  [
    'forward: "record" expected a boolean, got 1',
    layer((made) => made.forward(zeros(4, 8), { record: 1 as never })),
  ],
  [
    'forward: "dropout.probability" expected a number from 0 to less than 1, got 1',
    layer(
      (made) => {
        const dropout = { probability: 1, seed: 0 };
        return made.forward(zeros(4, 8), { dropout });
      },
      { addZeroAttention: true },
    ),
  ],
  [
    'forward: "scoreMod" expected no value with record: true, got a function',
    layer((made) => {
      const scoreMod = () => undefined;
      return made.forward(zeros(4, 8), { ...record, scoreMod });
    }),
  ],
  [
    'multiHeadBackward: "record" expected a record from forward with record: true, got undefined',
    layer((made) => multiHeadBackward(made, zeros(4, 8), undefined as never)),
  ],
  [
    'multiHeadBackward: "record" expected a record of this layer, got one of another',
    layer((made, attention) => {
      using other = new MultiHeadAttention(attention, { heads: 2 }, eyes as never);
      const result = other.forward(zeros(4, 8), record);
      using kept = result.record as NonNullable<typeof result.record>;
      return multiHeadBackward(made, zeros(4, 8), kept);
    }),
  ],
  ['multiHeadBackward: "outputGradient.dims" expected [4, 8], got [8, 4]', back({}, zeros(8, 4))],
  ['multiHeadBackward: "options" expected an object, got 1', back(1 as never)],
  [
    'multiHeadBackward: "out" expected { query?, key?, value?, weights?, biasKeyValue? }, got undefined',
    back({ accumulate: true }),
  ],
  [
    'multiHeadBackward: "out.query" expected 4·8 = 32 elements, got 8',
    back({ out: { query: new Float32Array(8) } }),
  ],
  [
    'multiHeadBackward: "out.key" expected no value without such a gradient, got Float32Array of 32',
    back({ out: { key: new Float32Array(32) } }),
  ],
  ['multiHeadBackward: "out.weights" expected an object, got 1', back({ out: { weights: 1 } })],
  [
    'multiHeadBackward: "out.weights.query" expected an object, got 1',
    back({ out: { weights: { query: 1 } } }),
  ],
  [
    'multiHeadBackward: "out.weights.value.weight" expected 8·8 = 64 elements, got 8',
    back({ out: { weights: { value: { weight: new Float32Array(8) } } } }),
  ],
  [
    'multiHeadBackward: "out.biasKeyValue" expected an object, got 1',
    back({ out: { biasKeyValue: 1 } }),
  ],
  [
    'multiHeadBackward: "out.biasKeyValue.key" expected no value without such a gradient, got Float32Array of 8',
    back({ out: { biasKeyValue: { key: new Float32Array(8) } } }),
  ],
  [
    'multiHeadBackward: "out.biasKeyValue.value" expected 8 elements, got 7',
    back({ out: { biasKeyValue: { value: new Float32Array(7) } } }, undefined, biased),
  ],
  [
    'multiHeadBackward: "gradients.sinks" expected `sinks` to be given, got true without',
    back({ gradients: { sinks: true } }),
  ],
  [
    'multiHeadBackward: "gradients.sinks" expected `sinks` to be given, got true without',
    back({ gradients: { sinks: true } }, undefined, biased),
  ],
  [
    'multiHeadBackward: "gradients.sinks" expected a boolean, got 1',
    back({ gradients: { sinks: 1 } }, undefined, biased),
  ],
  [
    'multiHeadBackward: "gradients" expected { mask?, alibi?, sinks? }, got null',
    back({ gradients: null }, undefined, biased),
  ],
  [
    'update: "weights" expected an object, got undefined',
    layer((made) => made.update(undefined as never)),
  ],
  [
    'update: "key.weight.dims" expected [8, 8], got [4, 8]',
    layer((made) => made.update({ key: { weight: zeros(4, 8) } })),
  ],
  [
    'update: "biasKeyValue" expected no value for a layer without one, got an object with {key, value}',
    layer((made) => made.update(biased), { addZeroAttention: true }),
  ],
  [
    'update: "biasKeyValue" expected an object, got null',
    layer((made) => made.update({ biasKeyValue: null as never }), biased),
  ],
  [
    'update: "biasKeyValue.key" expected 8 elements, got 7',
    layer((made) => made.update({ biasKeyValue: { key: zeros(7), value: zeros(8) } }), biased),
  ],
];

export const backwardRefused: Refusal[] = [
  ...attendBackwardRefused,
  ...linearBackwardRefused,
  ...layerBackwardRefused,
];
