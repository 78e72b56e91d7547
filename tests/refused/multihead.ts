import { appendedKeys, MultiHeadAttention } from "wasm-attention";
import { fromKeras, fromPyTorch } from "wasm-attention/weights";
import { type Call, type Refusal, zeros } from "./refusal";

const layer =
  (config: object, weights: object): Call =>
  (attention) =>
    new MultiHeadAttention(attention, config as never, weights as never);
const eye = { weight: zeros(8, 8), order: "in,out" };
export const eyes = { query: eye, key: eye, value: eye, output: eye };

export const multiheadRefused: Refusal[] = [
  ['MultiHeadAttention: "heads" expected an integer from 1, got 1.5', layer({ heads: 1.5 }, eyes)],
  [
    'MultiHeadAttention: "keyValueHeads" expected a divisor of heads = 4, got 3',
    layer({ heads: 4, keyValueHeads: 3 }, eyes),
  ],
  [
    'MultiHeadAttention: "key" expected a projection { weight, order, bias? }, got undefined',
    layer({ heads: 2 }, { query: eye }),
  ],
  [
    `MultiHeadAttention: "heads" expected a divisor of the query's H·D = 8 outputs, got 3`,
    layer({ heads: 3 }, eyes),
  ],
  [
    `MultiHeadAttention: "keyValueHeads" expected 2, since the key's Hkv·D = 8 outputs and D = 4, got 1`,
    layer({ heads: 2, keyValueHeads: 1 }, eyes),
  ],
  [
    `MultiHeadAttention: "keyValueHeads" expected a divisor of the value's Hkv·Dv = 7 outputs, got 2`,
    layer({ heads: 2 }, { ...eyes, value: { ...eye, weight: zeros(8, 7) } }),
  ],
  [
    'MultiHeadAttention: "output" expected a weight from H·Dv = 8 inputs, got 7',
    layer({ heads: 2 }, { ...eyes, output: { ...eye, weight: zeros(7, 8) } }),
  ],
  [
    'forward: "key.dims" expected [B, S, 8] or [S, 8], got [4, 7]',
    (a) => {
      using made = new MultiHeadAttention(a, { heads: 2 }, eyes as never);
      return made.forward({ query: zeros(4, 8), key: zeros(4, 7) });
    },
  ],
  [
    'fromKeras: "weights" expected 4 kernels, or 4 kernels each with its bias, got []',
    (a) => fromKeras(a, []),
  ],
  [
    'fromKeras: "weights[0].dims" expected [in, heads, size], got [8, 8]',
    (a) => fromKeras(a, new Array(4).fill(zeros(8, 8))),
  ],
  [
    'fromPyTorch: "in_proj_weight.dims" expected [3·E, E], got [8, 8]',
    (a) =>
      fromPyTorch(a, { in_proj_weight: zeros(8, 8), "out_proj.weight": zeros(8, 8) }, { heads: 2 }),
  ],
  [
    'fromPyTorch: "in_proj_bias" expected a multiple of 3 elements, 3·E, got 8',
    (a) =>
      fromPyTorch(
        a,
        {
          in_proj_weight: zeros(24, 8),
          in_proj_bias: new Float32Array(8),
          "out_proj.weight": zeros(8, 8),
        },
        { heads: 2 },
      ),
  ],

  [
    'appendedKeys: "addZeroAttention" expected a boolean, got 1',
    () => appendedKeys({ addZeroAttention: 1 as never }),
  ],
  [
    'appendedKeys: "biasKeyValue" expected an object, got null',
    () => appendedKeys({ biasKeyValue: null as never }),
  ],
  [
    'MultiHeadAttention: "appended" expected what appendedKeys made, got an object with {addZeroAttention}',
    layer({ heads: 2, appended: { addZeroAttention: true } }, eyes),
  ],
  [
    'MultiHeadAttention: "config.addZeroAttention" expected appended: appendedKeys({ addZeroAttention: true }), got an option that does not exist',
    layer({ heads: 2, addZeroAttention: true }, eyes),
  ],
  [
    'MultiHeadAttention: "biasKeyValue.value" expected a tensor { data, dims }, got undefined',
    layer({ heads: 2, appended: appendedKeys({ biasKeyValue: { key: zeros(8) } as never }) }, eyes),
  ],
  [
    'MultiHeadAttention: "biasKeyValue.key" expected 8 elements, got 7',
    layer(
      { heads: 2, appended: appendedKeys({ biasKeyValue: { key: zeros(7), value: zeros(8) } }) },
      eyes,
    ),
  ],
];
