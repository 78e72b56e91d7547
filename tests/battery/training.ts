// Cases of what training needs: dropout, and gradients of everything that has them.

import type { AttendOptions, AttendResult, LayerRecord } from "wasm-attention";
import type { AttendState, BackwardOptions } from "wasm-attention/training";
import { elements, filled, flags, floats } from "./numbers";
import type { Operation } from "./operations";
import { through } from "./through";

const { values } = Object;

const dropped: Operation[] = [
  [
    "dropout, with the weights",
    (attention) => {
      const [q, k, v] = [filled([2, 3, 37, 16], 201), filled([2, 3, 150, 16], 202), 203];
      const dropout = { probability: 0.25, seed: 2 ** 40 + 12345 };
      const asked = { weights: true, scores: "probabilities", logSumExp: true } as const;
      const given = { ...asked, dropout, causal: "lower-right" } as const;
      return values(attention.attend(q, k, filled([2, 3, 150, 24], v), given));
    },
  ],
  [
    "dropout of one query",
    (attention) => {
      const [q, k] = [filled([4, 1, 64], 204), filled([4, 517, 64], 205)];
      return values(attention.attend(q, k, k, { dropout: { probability: 0.5, seed: 7 } }));
    },
  ],
];

type Backward = [
  name: string,
  dims: { query: number[]; key: number[]; value: number[] },
  options?: BackwardOptions,
];

const [batch, heads, queries, keys] = [2, 4, 70, 150];
const full = {
  query: [batch, heads, queries, 24],
  key: [batch, 2, keys, 24],
  value: [batch, 2, keys, 40],
};
const few = { query: [2, 2, 9, 16], key: [2, 2, 21, 16], value: [2, 2, 21, 16] };

const backward: Backward[] = [
  ["plain", few],
  ["grouped, tiles and their edges", full],
  ["causal", { query: [3, 200, 64], key: [3, 200, 64], value: [3, 200, 64] }, { causal: true }],
  ["lower-right, window", full, { causal: "lower-right", window: { left: 60 } }],
  ["window to both sides", full, { window: { left: 20, right: 7 }, queryOffset: [50, -3] }],
  ["lengths", full, { keyLengths: [150, 31], queryLengths: [64, 5] }],
  ["scale and soft cap", few, { scale: 0.75, softcap: 1.5 }],
  [
    "boolean mask",
    full,
    { mask: { data: flags(batch * keys, 211), dims: [batch, 1, 1, keys] }, causal: true },
  ],
  [
    "additive mask of every axis",
    few,
    { mask: floats(2 * 2 * 9 * 21, 212, 2), gradients: { mask: true } },
  ],
  [
    "additive mask, broadcast",
    full,
    {
      mask: {
        data: floats(heads * keys, 213, 8).map((bias) => (bias < -6 ? -Infinity : bias)),
        dims: [heads, 1, keys],
      },
      gradients: { mask: true },
    },
  ],
  [
    "additive mask of one column, shorter",
    full,
    { mask: { data: floats(queries, 214), dims: [queries, 1] }, gradients: { mask: true } },
  ],
  [
    "blocks",
    full,
    { blockMask: { data: flags(5 * 10, 215), dims: [1, 1, 5, 10], size: 16 }, causal: true },
  ],
  [
    "alibi",
    full,
    { alibi: { slopes: [0.5, 0.25, 0.125, 2] }, gradients: { alibi: true }, causal: true },
  ],
  [
    "alibi of each batch, signed",
    few,
    { alibi: { slopes: floats(4, 216), distance: "signed" }, gradients: { alibi: true } },
  ],
  ["sinks", full, { sinks: [0.5, -Infinity, 3, 0], gradients: { sinks: true } }],
  ["dropout", full, { dropout: { probability: 0.125, seed: 99 } }],
  [
    "everything together",
    full,
    {
      causal: "lower-right",
      window: { left: 90 },
      mask: { data: floats(queries * keys, 217), dims: [queries, keys] },
      softcap: 4,
      alibi: { slopes: [0.25, 0.5, 1, 2] },
      sinks: [1, 2, 3, 4],
      keyLengths: [150, 77],
      queryLengths: [70, 33],
      dropout: { probability: 0.25, seed: 5 },
      gradients: { mask: true, alibi: true, sinks: true },
    },
  ],
];

function asOperation([name, dims, options = {}]: Backward, index: number): Operation {
  return [
    `attendBackward, ${name}`,
    (attention, wasm) => {
      const seed = 300 + 10 * index;
      const [q, k, v] = [dims.query, dims.key, dims.value].map((of, i) => filled(of, seed + i));
      const { gradients: _, ...forward } = options;
      const given = { ...forward, logSumExp: true } as AttendOptions;
      const state = stateOf(attention.attend(q, k, v, given));
      const dy = filled(state.output.dims, seed + 3);
      return values(
        wasm.attendBackward(
          attention,
          { ...state, query: q, key: k, value: v, outputGradient: dy },
          options,
        ),
      );
    },
  ];
}

const stateOf = (result: AttendResult) => result as AttendState;

const layouts = (["BLHD", "BLE"] as const).map(
  (layout): Operation => [
    `attendBackward, ${layout}, added to what is there`,
    (attention, wasm) => {
      const dims = layout === "BLE" ? [2, 33, 48] : [2, 33, 4, 12];
      const split = layout === "BLE" ? { layout, heads: 4 } : { layout };
      const [q, k, v, dy] = [221, 222, 223, 224].map((seed) => filled(dims, seed));
      const state = stateOf(attention.attend(q, k, v, { ...split, logSumExp: true }));
      const place = (seed: number) => floats(elements(dims), seed);
      const out = { query: place(225), key: place(226), value: place(227) };
      const options = { ...split, out, accumulate: true };
      return values(
        wasm.attendBackward(
          attention,
          { ...state, query: q, key: k, value: v, outputGradient: dy },
          options,
        ),
      );
    },
  ],
);

const packed: Operation = [
  "attendPackedBackward",
  (attention, wasm) => {
    const [q, k, v] = [filled([100, 4, 16], 231), filled([180, 2, 16], 232), 233];
    const value = filled([180, 2, 24], v);
    const sequences = {
      cumulativeQueries: [0, 1, 40, 40, 100],
      cumulativeKeys: [0, 130, 133, 150, 180],
      causal: "lower-right",
      softcap: 3,
      sinks: [0, 1, -1, 2],
    } as const;
    const state = stateOf(
      wasm.attendPacked(attention, q, k, value, { ...sequences, logSumExp: true }),
    );
    const dy = filled(state.output.dims, 234);
    const options = { ...sequences, gradients: { sinks: true } };
    return values(
      wasm.attendPackedBackward(
        attention,
        { ...state, query: q, key: k, value, outputGradient: dy },
        options,
      ),
    );
  },
];

const qkv: Operation[] = [true, false].map(
  (interleaved): Operation => [
    `attendQkvBackward, heads ${interleaved ? "interleaved" : "beside each other, fewer of keys"}`,
    (attention, wasm) => {
      const given = interleaved ? filled([2, 70, 4, 3, 20], 234) : filled([2, 70, 128], 235);
      const options = interleaved ? { interleaved } : { heads: 4, keyValueHeads: 2 };
      const asked = { ...options, causal: true, window: { left: 50 } } as const;
      const state = stateOf(wasm.attendQkv(attention, given, { ...asked, logSumExp: true }));
      const pass = { qkv: given, ...state, outputGradient: filled(state.output.dims, 236) };
      return [state.output, ...values(wasm.attendQkvBackward(attention, pass, asked))];
    },
  ],
);

const linear = (["out,in", "in,out"] as const).flatMap((order, index) =>
  [true, false].map(
    (biased): Operation => [
      `linearBackward ${order}, ${biased ? "a bias" : "none"}`,
      (attention, wasm) => {
        const seed = 240 + 4 * index;
        using weight = wasm.prepareLinear(attention, filled([65, 97], seed), {
          order,
          bias: biased ? floats(order === "out,in" ? 65 : 97, seed + 1) : undefined,
        });
        const rows = biased ? [2, 130] : [7];
        const x = filled([...rows, weight.inputSize], seed + 2);
        const dy = filled([...rows, weight.outputSize], seed + 3);
        return values(wasm.linearBackward(attention, dy, x, weight));
      },
    ],
  ),
);

const layers = ["self", "cross"].map(
  (kind): Operation => [
    `the layer's backward, ${kind}-attention`,
    (attention, wasm) => {
      const weights = {
        wq: filled([48, 64], 252, 0.25),
        wk: filled([48, 32], 253, 0.25),
        wv: filled([48, 32], 254, 0.25),
        dense: filled([64, 48], 255, 0.25),
        bq: floats(64, 256),
        denseBias: floats(48, 257),
      };
      const config = { heads: 4, keyValueHeads: 2 };
      using layer = wasm.MultiHeadAttention.fromMatrices(attention, weights, config);
      const key = kind === "self" ? undefined : filled([2, 51, 48], 259);
      const x = filled([2, 70, 48], 258);
      const dropout = { probability: 0.125, seed: 3 };
      const step = layer.forward({ query: x, key }, { causal: true, dropout, record: true });
      using record = step.record as LayerRecord;
      const back = wasm.multiHeadBackward(layer, filled([2, 70, 48], 260), record);
      const ofWeights = values(back.weights).flatMap(({ weight, bias }) => [weight, bias]);
      return [step.output, back.queryGradient, back.keyGradient, ...ofWeights];
    },
  ],
);

const rotary: Operation[] = [
  [
    "rotary's gradient, by frequencies",
    (attention, wasm) => {
      const { frequencies } = wasm.ropeFrequencies(attention, { dimensions: 32, base: 10_000 });
      const back = frequencies.map((frequency) => -frequency);
      const dy = filled([2, 3, 40, 32], 261);
      return [
        wasm.rotate(attention, dy, { frequencies: back, positions: 1000, attentionFactor: 1.25 }),
      ];
    },
  ],
  [
    "rotary's gradient, by tables",
    (attention, wasm) => {
      const [cos, sin] = [filled([50, 8], 262), filled([50, 8], 263)];
      sin.data.forEach((sine, index) => {
        sin.data[index] = -sine;
      });
      const dy = filled([2, 17, 4, 20], 264);
      const options = { layout: "BLHD", pairing: "interleaved", dimensions: 16 } as const;
      return [wasm.rotate(attention, dy, { ...options, cos, sin, positions: 21 })];
    },
  ],
];

export const training: readonly Operation[] = [
  ...dropped,
  ...through,
  ...backward.map(asOperation),
  ...layouts,
  packed,
  ...qkv,
  ...linear,
  ...layers,
  ...rotary,
];
