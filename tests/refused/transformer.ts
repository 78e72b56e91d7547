import {
  dropout,
  TransformerDecoderLayer,
  TransformerEncoderLayer,
  transformerBackward,
} from "wasm-attention/blocks";
import { createCache } from "wasm-attention/cache";
import type { Whole } from "../engines";
import { type Call, list, none, type Refusal, zeros } from "./refusal";

const x = zeros(2, 3);
const projection = (ins: number, outs: number) => ({
  weight: zeros(ins, outs),
  order: "in,out" as const,
});
const attends = {
  query: projection(8, 8),
  key: projection(8, 8),
  value: projection(8, 8),
  output: projection(8, 8),
};
const weights = {
  selfAttention: attends,
  linear1: projection(8, 5),
  linear2: projection(5, 8),
  norm1: { weight: new Float32Array(8) },
  norm2: {},
};
const more = { ...weights, crossAttention: attends, norm3: {} };
const made =
  (config: object, changed: object = {}): Call =>
  (attention) =>
    new TransformerEncoderLayer(
      attention,
      { heads: 2, ...config } as never,
      { ...weights, ...changed } as never,
    );
const encoder = (attention: Whole) => new TransformerEncoderLayer(attention, { heads: 2 }, weights);
const forward =
  (options: object, given = zeros(1, 3, 8)): Call =>
  (attention) => {
    using layer = encoder(attention);
    return layer.forward(given, options as never);
  };
const decoded =
  (options: object, memory = zeros(1, 4, 8)): Call =>
  (attention) => {
    using layer = new TransformerDecoderLayer(attention, { heads: 2 }, more);
    return layer.forward(zeros(1, 3, 8), memory, options as never);
  };
const unknown = "got an option that does not exist";

const back =
  (options: object): Call =>
  (attention) => {
    using layer = encoder(attention);
    using record = layer.forward(zeros(3, 8), { record: true }).record;
    return transformerBackward(layer, zeros(3, 8), record, options);
  };
const into = (weights: object) => back({ out: { weights } });

export const transformerRefused: Refusal[] = [
  [
    'TransformerEncoderLayer: "crossHeads" expected no value in an encoder, got 2',
    made({ crossHeads: 2 }),
  ],
  [
    'TransformerDecoderLayer: "crossHeads" expected an integer from 1, got 0',
    (a) => new TransformerDecoderLayer(a, { heads: 2, crossHeads: 0 }, more),
  ],
  ['dropout: "options" expected an object, got undefined', (a) => dropout(a, x, none)],
  [
    'dropout: "probability" expected a number from 0 to less than 1, got 1',
    (a) => dropout(a, x, { probability: 1, seed: 0 }),
  ],
  [
    'dropout: "seed" expected an integer from 0 to 2⁵³ − 1, got -1',
    (a) => dropout(a, x, { probability: 0.5, seed: -1 }),
  ],
  [
    'dropout: "stream" expected an integer from 0 to 2³¹ − 1, got -1',
    (a) => dropout(a, x, { probability: 0.5, seed: 0, stream: -1 }),
  ],
  [
    'dropout: "residual.dims" expected [2, 3], got [3, 2]',
    (a) => dropout(a, x, { probability: 0.5, seed: 0, residual: zeros(3, 2) }),
  ],

  ['TransformerEncoderLayer: "heads" expected an integer from 1, got 0', made({ heads: 0 })],
  [
    'TransformerEncoderLayer: "norm" expected "layerNorm" or "rmsNorm", got "batchNorm"',
    made({ norm: "batchNorm" }),
  ],
  [
    'TransformerEncoderLayer: "scale" expected a finite number, got Infinity',
    made({ scale: Infinity }),
  ],
  ['TransformerEncoderLayer: "eps" expected a finite number from 0, got null', made({ eps: null })],
  [
    'TransformerEncoderLayer: "config" expected an object, got undefined',
    (a) => new TransformerEncoderLayer(a, none, weights),
  ],
  [
    'TransformerEncoderLayer: "weights" expected an object, got undefined',
    (a) => new TransformerEncoderLayer(a, { heads: 2 }, none),
  ],
  ['TransformerEncoderLayer: "normFirst" expected a boolean, got 1', made({ normFirst: 1 })],
  [
    `TransformerEncoderLayer: "config.norm_first" expected the name "normFirst", ${unknown}`,
    made({ norm_first: true }),
  ],
  [
    'TransformerEncoderLayer: "activation" expected "relu", "gelu", "gelu-tanh" or "silu", got "tanh"',
    made({ activation: "tanh" }),
  ],
  [
    'TransformerEncoderLayer: "linear1" expected a weight from 8 to 5, got one from 7 to 5',
    made({}, { linear1: projection(7, 5) }),
  ],
  [
    'TransformerEncoderLayer: "linear2" expected a weight from 5 to 8, got one from 5 to 7',
    made({}, { linear2: projection(5, 7) }),
  ],
  [
    'TransformerEncoderLayer: "gate" expected a weight from 8 to 5, got one from 8 to 6',
    made({}, { gate: projection(8, 6) }),
  ],
  [
    'TransformerEncoderLayer: "norm1.weight" expected 8 elements, got 3',
    made({}, { norm1: { weight: new Float32Array(3) } }),
  ],
  [
    'TransformerEncoderLayer: "norm2" expected { weight?, bias? }, got undefined',
    made({}, { norm2: undefined }),
  ],
  [
    'TransformerEncoderLayer: "selfAttention" expected an object, got undefined',
    made({}, { selfAttention: none }),
  ],
  [
    'TransformerEncoderLayer: "selfAttention.value" expected a weight from 8 to 8, got one from 7 to 8',
    made({}, { selfAttention: { ...attends, value: projection(7, 8) } }),
  ],
  ['forward: "x.dims" expected [B, L, 8] or [L, 8], got [2, 7]', forward({}, zeros(2, 7))],
  [
    'forward: "x" expected a tensor { data, dims }, got undefined',
    (attention) => {
      using layer = encoder(attention);
      return layer.forward(none);
    },
  ],
  [
    'forward: "x" expected a tensor { data, dims }, got an object with {query, key}',
    forward({}, { query: zeros(1, 3, 8), key: zeros(1, 4, 8) } as never),
  ],
  ['forward: "x.dims" expected [B, L, 8] or [L, 8], got [8]', forward({}, zeros(8))],
  [`forward: "is_causal" expected the name "causal", ${unknown}`, forward({ is_causal: true })],
  ['forward: "record" expected a boolean, got 1', forward({ record: 1 })],
  [
    'forward: "dropout.seed" expected an integer from 0 to 2⁵³ − 1, got undefined',
    forward({ dropout: { probability: 0.5 } }),
  ],
  ['forward: "out" expected 1·3·8 = 24 elements, got 3', forward({ out: new Float32Array(3) })],
  ['forward: "memory.dims" expected [1, S, 8], got [1, 4, 7]', decoded({}, zeros(1, 4, 7))],
  [
    'forward: "memory" expected a tensor { data, dims }, got an object with {}',
    decoded({}, {} as never),
  ],
  ['forward: "memory.dims" expected [1, S, 8], got [2, 4, 8]', decoded({}, zeros(2, 4, 8))],
  ['forward: "memory.dims" expected [1, S, 8], got [4, 8]', decoded({}, zeros(4, 8))],
  ['forward: "memory.dims" expected [1, S, 8], got [8]', decoded({}, zeros(8))],
  [
    'forward: "cross.keyLengths[0]" expected an integer from 0 to 4, got 9',
    decoded({ cross: { keyLengths: [9] } }),
  ],
  [
    'forward: "cross.mask.dims" expected dims that broadcast over [B, H, L, S] = [1, 2, 3, 4], got [3, 3]',
    decoded({ cross: { mask: zeros(3, 3) } }),
  ],
  [
    'forward: "cross.scale" expected a finite number, got null',
    decoded({ cross: { scale: null } }),
  ],
  ['forward: "cross.cache" expected a cache, got 3', decoded({ cross: { cache: 3 } })],
  [
    'forward: "cross.cache" expected cross: true without a memory, got false',
    (a) => {
      using cache = createCache(a, { keyValueHeads: 2, headSize: 4 });
      using layer = new TransformerDecoderLayer(a, { heads: 2 }, more);
      return layer.forward(zeros(1, 3, 8), undefined, { cross: { cache } });
    },
  ],
  [
    'forward: "cross.scoreMod" expected no value with record: true, whose gradients do not go back through it, got a function',
    decoded({ record: true, cross: { scoreMod: () => undefined } }),
  ],
  [
    `forward: "cross.dropout" expected one of scale, causal, queryOffset, mask, blockMask, window, softcap, alibi, sinks, scoreMod, keyLengths, queryLengths, weights, precision, normalizer, cache, sequences, ${unknown}`,
    decoded({ cross: { dropout: 1 } }),
  ],
  [
    'update: "gate" expected no value, as the layer has none, got an object with {weight}',
    (a) => {
      using layer = encoder(a);
      layer.update({ gate: { weight: zeros(8, 5) } });
    },
  ],
  [
    'update: "norm1.bias" expected no value, as the layer has none, got Float32Array of 8',
    (a) => {
      using layer = encoder(a);
      layer.update({ norm1: { bias: new Float32Array(8) } });
    },
  ],
  [
    'transformerBackward: "layer" expected a TransformerEncoderLayer or TransformerDecoderLayer, got []',
    (a) => {
      using layer = encoder(a);
      using record = layer.forward(zeros(3, 8), { record: true }).record;
      transformerBackward(list, zeros(3, 8), record);
    },
  ],
  [
    'transformerBackward: "record" expected a record from forward with record: true, got an object with {}',
    (a) => {
      using layer = encoder(a);
      transformerBackward(layer, zeros(3, 8), {} as never);
    },
  ],
  [
    'transformerBackward: "record" expected a record of this layer, got one of another',
    (a) => {
      using layer = encoder(a);
      using other = encoder(a);
      using record = other.forward(zeros(3, 8), { record: true }).record;
      transformerBackward(layer, zeros(3, 8), record);
    },
  ],
  [
    'transformerBackward: "outputGradient.dims" expected [3, 8], got [8]',
    (a) => {
      using layer = encoder(a);
      using record = layer.forward(zeros(3, 8), { record: true }).record;
      transformerBackward(layer, zeros(8), record);
    },
  ],
  [
    `transformerBackward: "dropout" expected one of out, accumulate, ${unknown}`,
    back({ dropout: 1 }),
  ],
  [
    'transformerBackward: "out" expected { input?, memory?, weights? }, got undefined',
    back({ accumulate: true }),
  ],
  ['transformerBackward: "accumulate" expected a boolean, got 1', back({ out: {}, accumulate: 1 })],
  [
    'transformerBackward: "out.input" expected 3·8 = 24 elements, got 3',
    back({ out: { input: new Float32Array(3) } }),
  ],
  [
    'transformerBackward: "out.memory" expected no value without such a gradient, got Float32Array of 8',
    back({ out: { memory: new Float32Array(8) } }),
  ],
  [
    'transformerBackward: "out.weights.linear2.weight" expected 5·8 = 40 elements, got 3',
    into({ linear2: { weight: new Float32Array(3) } }),
  ],
  [
    'transformerBackward: "out.weights.linear2.bias" expected no value without such a gradient, got Float32Array of 8',
    into({ linear2: { bias: new Float32Array(8) } }),
  ],
  [
    'transformerBackward: "out.weights.gate.weight" expected no value without such a gradient, got Float32Array of 40',
    into({ gate: { weight: new Float32Array(40) } }),
  ],
  [
    'transformerBackward: "out.weights.norm1.bias" expected no value without such a gradient, got Float32Array of 8',
    into({ norm1: { bias: new Float32Array(8) } }),
  ],
  [
    'transformerBackward: "out.weights.norm3.weight" expected no value without such a gradient, got Float32Array of 8',
    into({ norm3: { weight: new Float32Array(8) } }),
  ],
  [
    'transformerBackward: "out.weights.selfAttention.value.weight" expected 8·8 = 64 elements, got 8',
    into({ selfAttention: { value: { weight: new Float32Array(8) } } }),
  ],
  [
    'transformerBackward: "out.weights.crossAttention.query.weight" expected no value without such a gradient, got Float32Array of 64',
    into({ crossAttention: { query: { weight: new Float32Array(64) } } }),
  ],
];
