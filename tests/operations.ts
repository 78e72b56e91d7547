// Every operation that takes tensors, as a function of numbers made in a realm, and of where they lie.

import {
  attendPacked,
  attendQkv,
  linear,
  MultiHeadAttention,
  mergeStates,
  prepareLinear,
  type Tensor,
} from "wasm-attention";
import {
  activateBackward,
  crossEntropy,
  embedding,
  embeddingBackward,
  layerNorm,
  layerNormBackward,
  softmax,
} from "wasm-attention/blocks";
import { rotate } from "wasm-attention/positions";
import {
  attendBackward,
  attendPackedBackward,
  attendQkvBackward,
  linearBackward,
  multiHeadBackward,
} from "wasm-attention/training";
import {
  causalConv,
  causalConvBackward,
  entmax,
  linearAttention,
  linearAttentionBackward,
  locationSensitiveAttention,
  locationSensitiveAttentionBackward,
  monotonicAttention,
  sparseAttend,
  weightedSum,
} from "wasm-attention/variants";
import { fromKeras, fromPyTorch } from "wasm-attention/weights";
import type { Whole } from "./engines";

/** How the arrays of a call are made. */
export interface Makes {
  floats(numbers: ArrayLike<number>): Float32Array;
  bytes(numbers: ArrayLike<number>): Uint8Array;
  words(numbers: ArrayLike<number>): Int32Array;
  bits(numbers: ArrayLike<number>): BigInt64Array;
  list(numbers: ArrayLike<number>): number[];
  object<Value extends object>(value: Value): Value;
}

/** Numbers that are never the same twice. */
const numbers = (count: number, seed: number) =>
  Float32Array.from({ length: count }, (_, index) => Math.sin(seed * 100 + index));

/** All results of each operation. */
export const operations: Record<string, (attention: Whole, make: Makes) => Tensor[]> = {
  attend(attention, make) {
    const x = tensorOf(make);
    const { output, logSumExp, weights } = attention.attend(x(1), x(2), x(3), {
      mask: make.object({ data: make.floats(numbers(9, 4)), dims: make.list([3, 3]) }),
      alibi: make.object({ slopes: make.list([1, 0.5]) }),
      sinks: make.floats([0, 1]),
      keyLengths: make.words([2]),
      queryLengths: make.list([3]),
      queryOffset: make.words([1]),
      blockMask: make.object({ data: make.bytes([1]), dims: make.list([1, 1, 1, 1]), size: 3 }),
      weights: true,
      logSumExp: true,
    });
    return [output, logSumExp as Tensor, weights as Tensor];
  },
  "attend with an out": (attention, make) => {
    const x = tensorOf(make);
    const out = make.floats(new Float32Array(24));
    attention.attend(x(1), x(2), x(3), { out });
    return [{ data: out, dims: [1, 2, 3, 4] }];
  },
  "attend with whole numbers as masks": (attention, make) => {
    const x = tensorOf(make);
    const plane = [1, 0, 2, 1, 1, 0, 0, 1, 1];
    return [
      make.words(plane),
      make.bits(plane),
      make.bytes(plane.map((item) => Math.min(item, 1))),
    ].map((mask) => attention.attend(x(1), x(2), x(3), { mask }).output);
  },
  attendBackward(attention, make) {
    const x = tensorOf(make);
    const mask = make.object({ data: make.floats(numbers(9, 4)), dims: make.list([3, 3]) });
    const { output, logSumExp } = attention.attend(x(1), x(2), x(3), { mask, logSumExp: true });
    const state = {
      output: make.object({ data: make.floats(output.data), dims: make.list(output.dims) }),
      logSumExp: logSumExp as Tensor,
    };
    const out = make.floats(new Float32Array(24));
    const gradients = attendBackward(
      attention,
      { ...state, query: x(1), key: x(2), value: x(3), outputGradient: x(5) },
      {
        mask,
        gradients: { mask: true },
        out: make.object({ key: out }),
      },
    );
    const { queryGradient, keyGradient, valueGradient, maskGradient } = gradients;
    return [queryGradient, keyGradient, valueGradient, maskGradient as Tensor];
  },
  attendPacked(attention, make) {
    const x = tensorOf(make, [4, 2, 3]);
    const options = { cumulativeQueries: make.words([0, 1, 4]), logSumExp: true };
    const { output, logSumExp } = attendPacked(attention, x(1), x(2), x(3), options);
    const state = { output, logSumExp: logSumExp as Tensor };
    const gradients = attendPackedBackward(
      attention,
      { ...state, query: x(1), key: x(2), value: x(3), outputGradient: x(4) },
      options,
    );
    return [output, gradients.queryGradient, gradients.keyGradient, gradients.valueGradient];
  },
  attendQkv(attention, make) {
    const qkv = tensorOf(make, [1, 4, 3, 2, 3]);
    const { output, logSumExp } = attendQkv(attention, qkv(1), { logSumExp: true });
    const state = { output, logSumExp: logSumExp as Tensor };
    const outputGradient = tensorOf(make, [1, 4, 2, 3])(2);
    const out = make.floats(new Float32Array(72));
    const pass = { qkv: qkv(1), ...state, outputGradient };
    return [output, attendQkvBackward(attention, pass, { out }).qkvGradient];
  },
  mergeStates(attention, make) {
    const part = (seed: number) => ({
      output: tensorOf(make)(seed),
      logSumExp: tensorOf(make, [1, 2, 3])(seed + 1),
    });
    const { output, logSumExp } = mergeStates(attention, [part(1), part(3)]);
    return [output, logSumExp];
  },
  rotate(attention, make) {
    const x = tensorOf(make);
    const cache = tensorOf(make, [9, 2]);
    return [
      rotate(attention, x(1), { positions: make.words([1, 2, 5]) }),
      rotate(attention, x(1), { cos: cache(2), sin: cache(3), positions: make.list([1, 2, 5]) }),
      rotate(attention, x(1), { frequencies: make.floats([1, 0.5]) }),
      rotate(attention, x(1), {
        sections: make.object({ sizes: make.list([1, 1]) }),
        positions: make.words([1, 2, 3, 4, 5, 6]),
      }),
    ];
  },
  linear(attention, make) {
    const [x, square] = [tensorOf(make), tensorOf(make, [4, 4])];
    const bias = make.floats(numbers(4, 3));
    using weight = prepareLinear(attention, square(1), { order: "out,in", bias });
    const y = linear(attention, x(2), weight);
    const gradients = linearBackward(attention, x(4), x(2), weight);
    weight.update(square(5), make.object({ data: bias, dims: make.list([4]) }));
    const { inputGradient, weightGradient, biasGradient } = gradients;
    const results = [
      y,
      inputGradient,
      weightGradient,
      biasGradient,
      linear(attention, x(2), weight),
    ];
    return results as Tensor[];
  },
  blocks(attention, make) {
    const x = tensorOf(make);
    const [weight, bias] = [make.floats(numbers(4, 3)), make.floats(numbers(4, 4))];
    const ids = make.object({ data: make.bits([1, 0, 1]), dims: make.list([1, 3]) });
    const targets = make.words([0, 1, 2, 3, 0, 1]);
    const logits = tensorOf(make, [6, 4])(5);
    const lossGradient = make.floats(numbers(6, 6));
    const asked = { reduction: "none", gradient: true, lossGradient } as const;
    return [
      ...Object.values(layerNorm(attention, x(1), { weight, bias, residual: x(2) })),
      ...Object.values(layerNormBackward(attention, x(1), x(2), { weight, bias })),
      softmax(attention, x(1), { axis: 0 }),
      ...Object.values(activateBackward(attention, x(1), x(2), "gelu", { gate: x(3) })),
      embedding(attention, tensorOf(make, [2, 4])(1), ids),
      embeddingBackward(attention, tensorOf(make, [1, 3, 4])(2), ids, { count: 2 }),
      ...Object.values(crossEntropy(attention, logits, targets, asked)),
    ];
  },
  variants(attention, make) {
    const x = tensorOf(make);
    const [filters, vector] = [tensorOf(make, [2, 2, 3]), make.floats(numbers(4, 3))];
    // Each for its call alone: a view ends when memory grows for the one before.
    const decay = () => tensorOf(make, [1, 2, 3, 1])(4);
    const conv = () => ({ x: tensorOf(make, [1, 2, 3])(1), weight: tensorOf(make, [2, 2])(2) });
    const keyLengths = make.words([3]);
    const located = {
      ...{ filters: filters(5), locationWeight: tensorOf(make, [2, 4])(6), scoreWeight: vector },
    };
    const [query, keys] = [tensorOf(make, [1, 4])(1), tensorOf(make, [1, 3, 4])];
    const step = locationSensitiveAttention(attention, query, keys(2), keys(3), located);
    const pass = { query, key: keys(2), value: keys(3), outputGradient: query };
    const back = locationSensitiveAttentionBackward(
      attention,
      { ...pass, stateGradient: make.object(step.state) },
      { ...located, state: make.object(step.state) },
    );
    return [
      ...Object.values(linearAttention(attention, x(1), x(2), x(3), { keyLengths })),
      linearAttention(attention, x(1), x(2), x(3), { updateRule: "gated", decay: decay() }).output,
      causalConv(attention, conv().x, conv().weight).output,
      causalConvBackward(attention, { ...conv(), outputGradient: conv().x }).weightGradient,
      linearAttentionBackward(
        attention,
        make.object({ query: x(1), key: x(2), value: x(3), outputGradient: x(4) }),
        {
          updateRule: "gated_delta",
          decay: decay(),
          beta: tensorOf(make, [1, 2, 3, 1])(5),
          keyLengths,
        },
      ).betaGradient as Tensor,
      ...[back.filtersGradient, back.stateGradient.previous],
      sparseAttend(attention, x(1), x(2), x(3), { alpha: make.list([1.5, 2]), keyLengths }).output,
      entmax(attention, x(1)),
      monotonicAttention(attention, x(1), { logits: true, keyLengths: make.list([3, 2]) }),
      weightedSum(attention, tensorOf(make, [2, 3])(1), tensorOf(make, [3, 4])(2)),
      ...[step.output, step.weights, step.state.cumulative],
    ];
  },
  MultiHeadAttention(attention, make) {
    const [x, square] = [tensorOf(make, [2, 3, 4]), tensorOf(make, [4, 4])];
    const weights = { wq: square(1), wk: square(2), wv: square(3), dense: square(4) };
    using layer = MultiHeadAttention.fromMatrices(
      attention,
      { ...weights, bq: make.floats(numbers(4, 5)) },
      { heads: 2 },
    );
    const { output, record } = layer.forward(
      { query: x(1), key: x(2), value: x(3) },
      { record: true },
    );
    const out = make.object({ query: make.floats(new Float32Array(24)) });
    if (!record) throw new Error("no record");
    const gradients = multiHeadBackward(layer, x(6), record, { out });
    layer.update({ value: { weight: square(7) } });
    const after = layer.forward(x(1));
    return [
      output,
      gradients.queryGradient,
      gradients.weights.query.weight,
      gradients.weights.query.bias as Tensor,
      after.output,
    ];
  },
  "MultiHeadAttention of PyTorch's weights": (attention, make) => {
    using layer = fromPyTorch(
      attention,
      {
        in_proj_weight: tensorOf(make, [12, 4])(1),
        in_proj_bias: make.floats(numbers(12, 2)),
        bias_k: tensorOf(make, [1, 1, 4])(3),
        bias_v: tensorOf(make, [1, 1, 4])(4),
        "out_proj.weight": tensorOf(make, [4, 4])(5),
      },
      { heads: 2 },
    );
    return [layer.forward(tensorOf(make, [2, 3, 4])(6)).output];
  },
  "MultiHeadAttention of Keras's weights": (attention, make) => {
    const kernel = tensorOf(make, [4, 2, 2]);
    const weights = [kernel(1), kernel(2), kernel(3), tensorOf(make, [2, 2, 4])(4)];
    using layer = fromKeras(attention, weights);
    return [layer.forward(tensorOf(make, [3, 4])(5)).output];
  },
};

function tensorOf(make: Makes, dims: readonly number[] = [1, 2, 3, 4]) {
  const count = dims.reduce((product, size) => product * size, 1);
  return (seed: number): Tensor =>
    make.object({ data: make.floats(numbers(count, seed)), dims: make.list(dims) });
}

/** Plain arrays of this realm. */
export const plain: Makes = {
  floats: (list) => Float32Array.from(list),
  bytes: (list) => Uint8Array.from(list),
  words: (list) => Int32Array.from(list),
  bits: (list) => BigInt64Array.from(Array.from(list, BigInt)),
  list: (list) => Array.from(list),
  object: (value) => value,
};
