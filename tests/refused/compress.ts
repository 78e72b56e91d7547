import { MultiHeadAttention, prepareLinear } from "wasm-attention";
import { TransformerDecoderLayer } from "wasm-attention/blocks";
import {
  factorize,
  headImportance,
  lowRankLinear,
  pruneHeads,
  quantizeLayer,
} from "wasm-attention/compress";
import { prepareQuantized } from "wasm-attention/quantized";
import { type Call, list, none, type Refusal, zeros } from "./refusal";

const square = { weight: zeros(8, 8), order: "out,in" } as const;
const narrow = { weight: zeros(4, 8), order: "out,in" } as const;
/** What is done with a layer of four heads and two of keys and values. */
const using =
  (use: (layer: MultiHeadAttention) => unknown): Call =>
  (attention) => {
    const weights = { query: square, key: narrow, value: narrow, output: square };
    using layer = new MultiHeadAttention(attention, { heads: 4, keyValueHeads: 2 }, weights);
    return use(layer);
  };
const projections = { query: square, key: square, value: square, output: square };
const weights = {
  selfAttention: projections,
  crossAttention: projections,
  linear1: narrow,
  linear2: { weight: zeros(8, 4), order: "out,in" },
  norm1: {},
  norm2: {},
  norm3: {},
} as const;
const decoder =
  (use: (layer: TransformerDecoderLayer) => unknown): Call =>
  (attention) => {
    using layer = new TransformerDecoderLayer(attention, { heads: 2 }, weights);
    return use(layer);
  };
const factors =
  (weight: unknown, rank: unknown, options?: object): Call =>
  () =>
    factorize(weight as never, rank as never, options as never);

export const compressRefused: Refusal[] = [
  [
    'quantizeLayer: "layer" expected a MultiHeadAttention, TransformerEncoderLayer or TransformerDecoderLayer, got []',
    () => quantizeLayer(list, { numbers: "int8" }),
  ],
  [
    'quantizeLayer: "options" expected { numbers, block?, activations? }, got undefined',
    using((layer) => quantizeLayer(layer, none)),
  ],
  [
    'quantizeLayer: "numbers" expected "int8" or "int4", got undefined',
    using((layer) => quantizeLayer(layer, {})),
  ],
  [
    'quantizeLayer: "block" expected a power of two from 16, got 20',
    using((layer) => quantizeLayer(layer, { numbers: "int8", block: 20 })),
  ],
  [
    'quantizeLayer: "order" expected one of numbers, block, activations, got an option that does not exist',
    using((layer) => quantizeLayer(layer, { numbers: "int8", order: "out,in" } as never)),
  ],
  [
    'quantizeLayer: "query" expected a weight of float32, from prepareLinear, got one of int8',
    using((layer) => {
      using few = quantizeLayer(layer, { numbers: "int8" });
      return quantizeLayer(few, { numbers: "int8" });
    }),
  ],
  [
    'pruneHeads: "heads" expected a list of heads, integers from 0 to 3, got 1',
    using((layer) => pruneHeads(layer, 1 as never)),
  ],
  [
    'pruneHeads: "heads[1]" expected an integer from 0 to 3, got 4',
    using((layer) => pruneHeads(layer, [0, 4])),
  ],
  [
    'pruneHeads: "heads[2]" expected an integer from 0 to 3, got "3"',
    using((layer) => pruneHeads(layer, [0, 1, "3" as never])),
  ],
  [
    'pruneHeads: "heads" expected each head once, got [1, 1]',
    using((layer) => pruneHeads(layer, [1, 1])),
  ],
  [
    'pruneHeads: "heads" expected at most 3 heads, got [0, 1, 2, 3]',
    using((layer) => pruneHeads(layer, [0, 1, 2, 3])),
  ],
  [
    'pruneHeads: "heads" expected equally many heads left for each key/value head that stays, got [1, 2] left',
    using((layer) => pruneHeads(layer, [1])),
  ],
  [
    'headImportance: "weightGradient.dims" expected [8, 8], got [4, 8]',
    using((layer) => headImportance(layer, zeros(4, 8))),
  ],
  [
    'headImportance: "layer" expected a MultiHeadAttention, TransformerEncoderLayer or TransformerDecoderLayer, got []',
    () => headImportance(list, zeros(4, 8)),
  ],
  [
    'headImportance: "of" expected "selfAttention", got "crossAttention"',
    using((layer) => headImportance(layer, zeros(8, 8), { of: "crossAttention" })),
  ],
  [
    'headImportance: "of" expected "selfAttention" or "crossAttention", got "self"',
    decoder((layer) => headImportance(layer, zeros(8, 8), { of: "self" as never })),
  ],
  [
    'pruneHeads: "heads" expected { selfAttention?, crossAttention? }, got [0]',
    decoder((layer) => pruneHeads(layer, [0] as never)),
  ],
  [
    'pruneHeads: "heads.crossAttention[0]" expected an integer from 0 to 1, got 2',
    decoder((layer) => pruneHeads(layer, { crossAttention: [2] })),
  ],
  [
    'quantizeLayer: "linear1" expected a weight of float32, from prepareLinear, got one of int8',
    (a) => {
      using linear1 = prepareQuantized(a, narrow.weight, { numbers: "int8", order: "out,in" });
      using mixed = new TransformerDecoderLayer(a, { heads: 2 }, { ...weights, linear1 });
      return quantizeLayer(mixed, { numbers: "int8" });
    },
  ],
  ['factorize: "weight" expected a tensor { data, dims }, got []', factors(list, 1)],
  [
    'factorize: "weight.dims" expected [rows, columns], each at least 1, got [3]',
    factors(zeros(3), 1),
  ],
  ['factorize: "rank" expected an integer from 1 to 2, got 3', factors(zeros(2, 5), 3)],
  ['factorize: "rank" expected an integer from 1 to 2, got 1.5', factors(zeros(2, 5), 1.5)],
  [
    'factorize: "weight" expected finite numbers, got Infinity',
    factors({ data: Float32Array.of(1, Infinity), dims: [1, 2] }, 1),
  ],
  ['factorize: "seed" expected an integer from 0, got -1', factors(zeros(2, 5), 1, { seed: -1 })],
  [
    'lowRankLinear: "first" expected a weight from prepareLinear, got []',
    (a) => lowRankLinear(a, zeros(1, 3), list, list),
  ],
  [
    'lowRankLinear: "second" expected a weight from 2, the first\'s outputs, got one from 3',
    (a) => {
      using weight = prepareLinear(a, zeros(2, 3), { order: "out,in" });
      return lowRankLinear(a, zeros(1, 3), weight, weight);
    },
  ],
];
