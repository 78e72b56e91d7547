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

export const blocks: readonly Operation[] = [...norms, ...softmaxes, ...activations, ...others];
