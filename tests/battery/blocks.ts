// Cases of what stands around attention in a block.

import { elements, filled, floats, integers } from "./numbers";
import type { Operation } from "./operations";

const { values } = Object;

const dims = [2, 37, 61];

const norms = (["layerNorm", "rmsNorm"] as const).flatMap((name, index): Operation[] => [
  [
    `${name} with a residual`,
    (attention, wasm) => {
      const [weight, bias] = [floats(61, 401 + index), floats(61, 403 + index)];
      const options = { weight, bias, residual: filled(dims, 405 + index) };
      const x = filled(dims, 407 + index, 4);
      return values(
        name === "layerNorm"
          ? wasm.layerNorm(attention, x, options)
          : wasm.rmsNorm(attention, x, options),
      );
    },
  ],
  [
    `${name}Backward`,
    (attention, wasm) => {
      const backward = name === "layerNorm" ? wasm.layerNormBackward : wasm.rmsNormBackward;
      const [weight, bias] = [floats(2257, 411 + index), floats(2257, 413 + index)];
      const [dy, x] = [filled(dims, 415 + index), filled(dims, 417 + index)];
      const options = { weight, bias, axis: 1, eps: 0.25, sumGradient: filled(dims, 419 + index) };
      const [tallGradient, tall] = [423, 425].map((seed) => filled([2000, 33], seed + index));
      const tallOptions = { weight: floats(33, 421 + index) };
      return [
        ...values(backward(attention, dy, x, options)),
        ...values(backward(attention, tallGradient, tall, tallOptions)),
      ];
    },
  ],
]);

const softmaxes = (["softmax", "logSoftmax"] as const).map(
  (name): Operation => [
    `${name} over every axis, and back`,
    (attention, wasm) => {
      const x = filled([5, 21, 30], 431, 16);
      return [0, 1, 2].flatMap((axis) => {
        const y = wasm[name](attention, x, { axis });
        const backward = name === "softmax" ? wasm.softmaxBackward : wasm.logSoftmaxBackward;
        return [y, backward(attention, filled(x.dims, 432), y, { axis })];
      });
    },
  ],
);

const activations = (["relu", "gelu", "gelu-tanh", "silu"] as const).map(
  (name, index): Operation => [
    `${name}, gated, and back`,
    (attention, wasm) => {
      const [x, gate, dy] = [441, 442, 443].map((seed) => filled([4099], seed + index, 8));
      return [
        wasm.activate(attention, x, name),
        wasm.activate(attention, x, name, { gate }),
        ...values(wasm.activateBackward(attention, dy, x, name)),
        ...values(wasm.activateBackward(attention, dy, x, name, { gate })),
      ];
    },
  ],
);

const ids = (length: number, count: number, seed: number) =>
  Int32Array.from({ length }, integers(seed)).map((id) => id % count);

const others: Operation[] = [
  [
    "embedding, and back",
    (attention, wasm) => {
      const rows = { data: ids(120, 17, 451), dims: [4, 30] };
      const options = { count: 17, scale: 0.375, paddingIndex: 3 };
      return [
        wasm.embedding(attention, filled([17, 67], 452), rows, { scale: 0.375 }),
        wasm.embeddingBackward(attention, filled([4, 30, 67], 453), rows, options),
      ];
    },
  ],
  [
    "cross-entropy, smoothed, some ignored",
    (attention, wasm) => {
      const logits = filled([60, 301], 454, 8);
      const targets = ids(60, 301, 455).map((id, row) => (row % 7 ? id : -100));
      const options = { labelSmoothing: 0.125, gradient: true } as const;
      const mean = wasm.crossEntropy(attention, logits, targets, options);
      const each = wasm.crossEntropy(attention, logits, targets, {
        ...{ reduction: "none", gradient: true, lossGradient: floats(60, 456) },
      });
      return [Float32Array.of(mean.loss), mean.gradient, each.loss, each.gradient];
    },
  ],
  [
    "fused linear, gated, with a residual",
    (attention, wasm) => {
      const matrix = [150, 263];
      const prepare = (seed: number) =>
        wasm.prepareLinear(attention, filled(matrix, seed), {
          order: "in,out",
          bias: floats(263, -seed),
        });
      using weight = prepare(461);
      using gate = prepare(462);
      const [x, residual] = [filled([70, 150], 463), filled([70, 263], 464)];
      return [
        wasm.fusedLinear(attention, x, weight, { activation: "gelu", residual }),
        wasm.fusedLinear(attention, x, weight, { activation: "silu", gate, residual }),
      ];
    },
  ],
  [
    "dropout with a residual",
    (attention, wasm) => {
      const [x, residual] = [filled([3, 7001], 466), filled([3, 7001], 467)];
      const options = { probability: 0.25, seed: 2 ** 40 + 7, stream: 3 };
      return [
        wasm.dropout(attention, x, options),
        wasm.dropout(attention, x, { ...options, residual }),
      ];
    },
  ],
  [
    "blocks, not holding the thread, in linear memory",
    async (attention, wasm) => {
      const shape = [3, 40, 65];
      using x = attention.allocate(shape);
      x.data.set(floats(elements(shape), 465));
      await wasm.layerNormAsync(attention, x, { residual: x, out: x });
      await wasm.activateAsync(attention, x, "gelu", { out: x });
      await wasm.softmaxAsync(attention, x, { axis: 1, out: x });
      return [x.data.slice()];
    },
  ],
];

/** [E, outs] with a bias. */
const projection = (ins: number, outs: number, seed: number) => ({
  weight: filled([ins, outs], seed, 0.25),
  order: "in,out" as const,
  bias: floats(outs, -seed),
});

const attends = (seed: number) => ({
  query: projection(48, 48, seed),
  key: projection(48, 24, seed + 1),
  value: projection(48, 24, seed + 2),
  output: projection(48, 48, seed + 3),
});
const normOf = (seed: number) => ({ weight: floats(48, seed), bias: floats(48, seed + 1) });

const encoder = (seed: number) => ({
  selfAttention: attends(seed),
  linear1: projection(48, 100, seed + 4),
  linear2: projection(100, 48, seed + 5),
  norm1: normOf(seed + 6),
  norm2: normOf(seed + 8),
});

const layers: Operation[] = [
  [
    "an encoder layer, and back",
    (attention, wasm) => {
      const config = { heads: 4, keyValueHeads: 2, activation: "gelu" } as const;
      using layer = new wasm.TransformerEncoderLayer(attention, config, encoder(471));
      const x = filled([2, 70, 48], 481);
      const step = layer.forward(x, { causal: true, record: true, weights: "mean" });
      using record = step.record;
      const back = wasm.transformerBackward(layer, filled(x.dims, 482), record);
      const { linear1, norm1, selfAttention } = back.weights;
      return [
        ...[step.output, step.weights, back.inputGradient, linear1.weight, linear1.bias],
        ...[norm1.weight, norm1.bias, selfAttention.value.weight],
      ];
    },
  ],
  [
    "a decoder layer, gated, its norms first, with dropout, and back",
    async (attention, wasm) => {
      const config = { heads: 4, norm: "rmsNorm", normFirst: true, activation: "silu" } as const;
      const cross = {
        ...attends(491),
        key: projection(48, 48, 492),
        value: projection(48, 48, 493),
      };
      const weights = {
        ...encoder(495),
        gate: projection(48, 100, 505),
        crossAttention: cross,
        norm3: normOf(506),
      };
      using layer = new wasm.TransformerDecoderLayer(
        attention,
        { ...config, keyValueHeads: 2 },
        weights,
      );
      const [x, memory] = [filled([2, 20, 48], 508), filled([2, 31, 48], 509)];
      const options = { dropout: { probability: 0.125, seed: 5 }, record: true } as const;
      const step = await layer.forwardAsync(x, memory, options);
      using record = step.record;
      const gradient = filled(x.dims, 510);
      const back = await wasm.transformerBackwardAsync(layer, gradient, record);
      return [step.output, back.inputGradient, back.memoryGradient, back.weights.gate?.weight];
    },
  ],
  [
    "an encoder layer with a cache",
    (attention, wasm) => {
      const config = { heads: 4, keyValueHeads: 2, normFirst: true } as const;
      using layer = new wasm.TransformerEncoderLayer(attention, config, encoder(511));
      using cache = wasm.createCache(attention, { keyValueHeads: 2, headSize: 12 });
      return [5, 1, 1].map(
        (rows) => layer.forward(filled([1, rows, 48], 520 + rows), { cache }).output,
      );
    },
  ],
];

export const blocks: readonly Operation[] = [
  ...norms,
  ...softmaxes,
  ...activations,
  ...others,
  ...layers,
];
