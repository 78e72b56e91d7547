// Cases of everything besides attend.

import type { AttendState, Tensor } from "wasm-attention";
import type { RopeScaling } from "wasm-attention/positions";
import { elements, filled, floats } from "./numbers";
import type { Package, Whole } from "./package";

export type Results = readonly (Tensor | Float32Array | undefined)[];
export type Operation = [
  name: string,
  run: (attention: Whole, wasm: Package) => Results | Promise<Results>,
];

const packed: Operation[] = [
  [
    "attendPacked",
    (attention, wasm) => {
      const [q, k, v] = [1, 2, 3].map((seed) => filled([100, 4, 16], seed));
      const options = { cumulativeQueries: [0, 1, 40, 40, 100], causal: true, logSumExp: true };
      return Object.values(wasm.attendPacked(attention, q, k, v, options));
    },
  ],
  [
    "attendPacked, other keys, grouped",
    (attention, wasm) => {
      const [q, k, v] = [filled([30, 4, 16], 4), filled([90, 2, 16], 5), filled([90, 2, 24], 6)];
      const options = { cumulativeQueries: [0, 10, 30], cumulativeKeys: [0, 77, 90] };
      return Object.values(wasm.attendPacked(attention, q, k, v, options));
    },
  ],
  [
    "mergeStates",
    (attention, wasm) => {
      const q = filled([2, 2, 20, 16], 7);
      const parts = [8, 9, 10].map((seed) => {
        const [k, v] = [filled([2, 2, 5 * seed, 16], seed), filled([2, 2, 5 * seed, 16], -seed)];
        return attention.attend(q, k, v, { logSumExp: true }) as AttendState;
      });
      const { output, logSumExp } = wasm.mergeStates(attention, parts);
      return [output, logSumExp];
    },
  ],
];

const positions: Operation[] = [
  ["rotate", (attention, wasm) => [wasm.rotate(attention, filled([2, 3, 40, 32], 11))]],
  [
    "rotate, interleaved, in part, from positions",
    (attention, wasm) => [
      wasm.rotate(attention, filled([2, 9, 3, 20], 12), {
        layout: "BLHD",
        pairing: "interleaved",
        dimensions: 12,
        positions: Int32Array.from({ length: 18 }, (_, i) => i * i * 97 - 1000),
      }),
    ],
  ],
  [
    "rotate on three axes",
    (attention, wasm) => [
      wasm.rotate(attention, filled([1, 2, 6, 32], 13), {
        sections: { sizes: [4, 6, 6], interleaved: true },
        positions: Array.from({ length: 18 }, (_, i) => i % 7),
      }),
    ],
  ],
  [
    "rotate by caches",
    (attention, wasm) => [
      wasm.rotate(attention, filled([1, 2, 6, 16], 14), {
        cos: filled([10, 8], 15),
        sin: filled([10, 8], 16),
        positions: [3, 1, 9, 12, 0, 5],
        outOfRange: "pass",
      }),
    ],
  ],
  [
    "rotary frequencies, scaled",
    (attention, wasm) => {
      const original = { factor: 8, originalMaxPositionEmbeddings: 8192 };
      const scalings: RopeScaling[] = [
        { type: "linear", factor: 3 },
        { type: "dynamic", ...original, length: 20_000 },
        { type: "yarn", ...original },
        { type: "llama3", ...original, lowFreqFactor: 1, highFreqFactor: 4 },
      ];
      return scalings.flatMap((scaling) => {
        const { frequencies, attentionFactor } = wasm.ropeFrequencies(attention, {
          dimensions: 128,
          base: 500_000,
          scaling,
        });
        return [frequencies, Float32Array.of(attentionFactor)];
      });
    },
  ],
  [
    "sinusoidal positions",
    (attention, wasm) => [
      wasm.sinusoidalPositions(attention, { positions: 200, size: 48 }),
      wasm.sinusoidalPositions(attention, { positions: [99_991], size: 34, order: "concatenated" }),
    ],
  ],
  [
    "biases of T5 and slopes of ALiBi",
    (_attention, wasm) => {
      const sizes = { queries: 40, keys: 300 };
      const both = wasm.relativePositionBias(filled([32, 4], 17), sizes);
      const before = wasm.relativePositionBias(filled([32, 4], 18), {
        ...sizes,
        bidirectional: false,
        queryOffset: 260,
      });
      return [both, before, wasm.alibiSlopes(12), wasm.alibiSlopes(71, { maxBias: 5 })];
    },
  ],
  [
    "half floats",
    (_attention, wasm) => {
      const halves = Uint16Array.from({ length: 65536 }, (_, bits) => bits);
      const rounded = wasm.toFloat16(floats(4000, 19, 2 ** 17));
      return [
        wasm.fromFloat16(halves),
        wasm.fromBfloat16(halves),
        Float32Array.from(rounded as ArrayLike<number>),
      ];
    },
  ],
];

const linear: Operation[] = [
  ["out,in", [3, 17, 40], [24, 40]],
  ["in,out", [129, 65], [65, 33]],
  ["in,out", [300, 300], [300, 257]],
].map(
  ([order, rows, matrix], index): Operation => [
    `linear ${order} ${matrix}`,
    (attention, wasm) => {
      const [weightOrder, dims] = [order as "out,in" | "in,out", matrix as number[]];
      const bias = floats(dims[weightOrder === "out,in" ? 0 : 1], 20 + index);
      using weight = wasm.prepareLinear(attention, filled(dims, 30 + index), {
        order: weightOrder,
        bias,
      });
      const output = wasm.linear(attention, filled(rows as number[], 40 + index), weight);
      return [output];
    },
  ],
);

const input = filled([2, 70, 48], 51);

const layers: Operation[] = [
  [
    "layer of matrices, grouped",
    (attention, wasm) => {
      const weights = {
        wq: filled([48, 64], 52, 0.25),
        wk: filled([48, 32], 53, 0.25),
        wv: filled([48, 32], 54, 0.25),
        dense: filled([64, 48], 55, 0.25),
        bq: floats(64, 56),
      };
      const config = { heads: 4, keyValueHeads: 2 };
      using layer = wasm.MultiHeadAttention.fromMatrices(attention, weights, config);
      return Object.values(layer.forward(input, { causal: true }));
    },
  ],
  [
    "layer of PyTorch, bias key and zeros",
    (attention, wasm) => {
      const weights = {
        in_proj_weight: filled([144, 48], 57, 0.25),
        in_proj_bias: floats(144, 58),
        bias_k: filled([1, 1, 48], 59),
        bias_v: filled([1, 1, 48], 60),
        "out_proj.weight": filled([48, 48], 61, 0.25),
        "out_proj.bias": floats(48, 62),
      };
      const config = { heads: 3, appended: wasm.appendedKeys({ addZeroAttention: true }) };
      using layer = wasm.fromPyTorch(attention, weights, config);
      return Object.values(
        layer.forward({ query: input, key: filled([2, 31, 48], 63) }, { weights: "mean" }),
      );
    },
  ],
  [
    "layer of Keras, not holding the thread",
    async (attention, wasm) => {
      const weights = [64, 65, 66].flatMap((seed) => [
        filled([48, 6, 10], seed, 0.25),
        filled([6, 10], -seed),
      ]);
      weights.push(filled([6, 10, 48], 67, 0.25), filled([48], 68));
      using layer = wasm.fromKeras(attention, weights);
      const { output } = await layer.forwardAsync(input);
      return [output];
    },
  ],
];

const places: Operation[] = [
  [
    "attendAsync, shared",
    async (attention) => {
      const x = filled([1, 4, 257, 64], 71);
      return Object.values(await attention.attendAsync(x, x, x, { causal: true, logSumExp: true }));
    },
  ],
  [
    "tensors in linear memory, written over",
    (attention) => {
      const dims = [1, 2, 140, 32];
      using x = attention.allocate(dims);
      x.data.set(floats(elements(dims), 72));
      attention.attend(x, x, x, { out: x });
      return [x.data.slice()];
    },
  ],
];

export const operations: readonly Operation[] = [
  ...packed,
  ...positions,
  ...linear,
  ...layers,
  ...places,
];
