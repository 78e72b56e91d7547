import type { Tensor } from "wasm-attention";
import { appendedKeys, MultiHeadAttention } from "wasm-attention";
import { multiHeadBackward } from "wasm-attention/training";
import type { Whole } from "../engines";
import { eyes } from "./multihead";
import { type Call, type Refusal, zeros } from "./refusal";

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
      using pass = record as NonNullable<typeof record>;
      return multiHeadBackward(made, dy, pass, options);
    }, config)(attention);
const bias = { biasKeyValue: { key: zeros(8), value: zeros(8) } };
const biased = { appended: appendedKeys(bias) };

const record = { record: true };
export const layerBackwardRefused: Refusal[] = [
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
      { appended: appendedKeys({ addZeroAttention: true }) },
    ),
  ],
  [
    'multiHeadBackward: "scoreModGradient" expected a function, with scoreMod, got undefined',
    layer((made) => {
      const scoreMod = () => undefined;
      const result = made.forward(zeros(4, 8), { ...record, scoreMod });
      using pass = result.record as NonNullable<typeof result.record>;
      return multiHeadBackward(made, zeros(4, 8), pass);
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
      using pass = result.record as NonNullable<typeof result.record>;
      return multiHeadBackward(made, zeros(4, 8), pass);
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
    layer((made) => made.update(bias), { appended: appendedKeys({ addZeroAttention: true }) }),
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
