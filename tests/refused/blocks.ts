import { prepareLinear, type Tensor } from "wasm-attention";
import {
  activate,
  activateBackward,
  crossEntropy,
  embedding,
  embeddingBackward,
  fusedLinear,
  layerNorm,
  layerNormBackward,
  logSoftmax,
  rmsNorm,
  softmax,
  softmaxBackward,
} from "wasm-attention/blocks";
import { type Call, list, none, type Refusal, zeros } from "./refusal";

const x = zeros(2, 3);
const normed =
  (options: object, of = x): Call =>
  (attention) =>
    layerNorm(attention, of, options as never);
const normedBack =
  (options: object, dy = x): Call =>
  (attention) =>
    layerNormBackward(attention, dy, x, options);
const loss =
  (options: object, targets: unknown = [0, 2], logits = x): Call =>
  (attention) =>
    crossEntropy(attention, logits, targets as never, options as never);
const fused =
  (options: object, of = x): Call =>
  (attention) => {
    using weight = prepareLinear(attention, zeros(3, 4), { order: "in,out" });
    return fusedLinear(attention, of, weight, options);
  };
const embedded =
  (ids: unknown, options: object = {}, table: Tensor = x): Call =>
  (attention) =>
    embedding(attention, table, ids as never, options);
const embeddedBack =
  (options: object, ids: unknown = [0, 1], dy: Tensor = x): Call =>
  (attention) =>
    embeddingBackward(attention, dy, ids as never, options as never);
const unknown = "got an option that does not exist";

export const blocksRefused: Refusal[] = [
  ['layerNorm: "x" expected a tensor { data, dims }, got 3', normed({}, 3 as never)],
  ['layerNorm: "x.dims" expected at least one axis, got []', normed({}, zeros())],
  [
    'layerNorm: "epsilon" expected the name "eps", got an option that does not exist',
    normed({ epsilon: 1 }),
  ],
  ['layerNorm: "eps" expected a finite number from 0, got -1', normed({ eps: -1 })],
  ['layerNorm: "eps" expected a finite number from 0, got NaN', normed({ eps: NaN })],
  ['layerNorm: "axis" expected an axis of x, -2 to 1, got 2', normed({ axis: 2 })],
  ['layerNorm: "axis" expected an axis of x, -2 to 1, got 0.5', normed({ axis: 0.5 })],
  ['layerNorm: "weight" expected 3 elements, got 2', normed({ weight: new Float32Array(2) })],
  ['layerNorm: "bias" expected 6 elements, got 3', normed({ bias: zeros(3), axis: 0 })],
  ['layerNorm: "residual.dims" expected [2, 3], got [3, 2]', normed({ residual: zeros(3, 2) })],
  ['layerNorm: "statistics" expected a boolean, got 1', normed({ statistics: 1 })],
  ['layerNorm: "out" expected 2·3 = 6 elements, got 5', normed({ out: new Float32Array(5) })],
  [
    `rmsNorm: "statistics" expected one of weight, bias, eps, axis, residual, out, ${unknown}`,
    (a) => rmsNorm(a, x, { statistics: true } as never),
  ],
  [
    'layerNormBackward: "outputGradient.dims" expected [2, 3], got [3, 2]',
    normedBack({}, zeros(3, 2)),
  ],
  [
    'layerNormBackward: "sumGradient.dims" expected [2, 3], got [6]',
    normedBack({ sumGradient: zeros(6) }),
  ],
  [
    'layerNormBackward: "out.bias" expected no value without a bias, got Float32Array of 3',
    normedBack({ out: { bias: new Float32Array(3) } }),
  ],
  [
    'layerNormBackward: "out" expected { input?, weight?, bias? }, got undefined',
    normedBack({ accumulate: true }),
  ],

  ['softmax: "axis" expected an axis of x, -2 to 1, got -3', (a) => softmax(a, x, { axis: -3 })],
  [
    'softmax: "dim" expected the name "axis", got an option that does not exist',
    (a) => softmax(a, x, { dim: 1 } as never),
  ],
  ['logSoftmax: "x.dims" expected at least one axis, got []', (a) => logSoftmax(a, zeros())],
  [
    'softmaxBackward: "outputGradient.dims" expected [2, 3], got [2]',
    (a) => softmaxBackward(a, zeros(2), x),
  ],

  [
    'activate: "activation" expected "relu", "gelu", "gelu-tanh" or "silu", got "swish"',
    (a) => activate(a, x, "swish" as never),
  ],
  [
    'activate: "activation" expected "relu", "gelu", "gelu-tanh" or "silu", got undefined',
    (a) => activate(a, x, none),
  ],
  [
    'activate: "gate.dims" expected [2, 3], got [3, 2]',
    (a) => activate(a, x, "relu", { gate: zeros(3, 2) }),
  ],
  [
    'activateBackward: "outputGradient.dims" expected [2, 3], got [3]',
    (a) => activateBackward(a, zeros(3), x, "relu"),
  ],
  [
    'activateBackward: "out.gate" expected no value without a gate, got Float32Array of 6',
    (a) => activateBackward(a, x, x, "relu", { out: { gate: new Float32Array(6) } }),
  ],

  [
    'embedding: "table.dims" expected [count, E] with E from 1, got [3]',
    embedded([0], {}, zeros(3)),
  ],
  ['embedding: "ids" expected an array of integers, or { data, dims }, got 3', embedded(3)],
  ['embedding: "ids" expected 4 elements, got 3', embedded({ data: [0, 0, 0], dims: [2, 2] })],
  ['embedding: "ids[1]" expected an integer from 0 to 1, got 2', embedded([0, 2])],
  ['embedding: "ids[0]" expected an integer from 0 to 1, got -1n', embedded(BigInt64Array.of(-1n))],
  ['embedding: "ids[0]" expected an integer from 0 to 1, got 0.5', embedded([0.5])],
  [
    'embedding: "ids[0]" expected none, as there are no rows, got 0',
    embedded([0], {}, zeros(0, 3)),
  ],
  ['embedding: "scale" expected a finite number, got Infinity', embedded([0], { scale: Infinity })],
  ['embeddingBackward: "count" expected an integer from 1, got undefined', embeddedBack({})],
  [
    'embeddingBackward: "outputGradient.dims" expected [2, 4], got [2, 2, 4]',
    embeddedBack({ count: 2 }, [0, 1], zeros(2, 2, 4)),
  ],
  [
    'embeddingBackward: "paddingIndex" expected an integer from 0 to 1, got 2',
    embeddedBack({ count: 2, paddingIndex: 2 }),
  ],
  [
    'embeddingBackward: "out" expected a target to add to, got undefined',
    embeddedBack({ count: 2, accumulate: true }),
  ],

  [
    'crossEntropy: "logits.dims" expected [..., C] with C from 1, got [2, 0]',
    loss({}, [], zeros(2, 0)),
  ],
  ['crossEntropy: "logits.dims" expected [1, 3], got [2, 3]', loss({}, [0])],
  ['crossEntropy: "targets[1]" expected an integer from 0 to 2, or -100, got 3', loss({}, [0, 3])],
  ['crossEntropy: "ignoreIndex" expected an integer, got null', loss({ ignoreIndex: null })],
  [
    'crossEntropy: "labelSmoothing" expected a finite number from 0 to 1, got 2',
    loss({ labelSmoothing: 2 }),
  ],
  [
    'crossEntropy: "labelSmoothing" expected a finite number from 0 to 1, got null',
    loss({ labelSmoothing: null }),
  ],
  [
    'crossEntropy: "reduction" expected "mean", "sum" or "none", got "average"',
    loss({ reduction: "average" }),
  ],
  ['crossEntropy: "gradient" expected a boolean, got 1', loss({ gradient: 1 })],
  [
    'crossEntropy: "out" expected no value without gradient: true, got Float32Array of 6',
    loss({ out: new Float32Array(6) }),
  ],
  [
    'crossEntropy: "lossGradient" expected a number, but with reduction "none", got Float32Array of 2',
    loss({ gradient: true, lossGradient: new Float32Array(2) }),
  ],
  [
    'crossEntropy: "lossGradient" expected 2 elements, got 3',
    loss({ gradient: true, reduction: "none", lossGradient: new Float32Array(3) }),
  ],

  [
    'fusedLinear: "prepared" expected a weight from prepareLinear, got []',
    (a) => fusedLinear(a, x, list),
  ],
  ['fusedLinear: "x.dims" expected […, in] with in = 3, got [2, 4]', fused({}, zeros(2, 4))],
  ['fusedLinear: "residual.dims" expected [2, 4], got [2, 3]', fused({ residual: x })],
  [
    'fusedLinear: "gate" expected a weight from prepareLinear, got an object with {data, dims}',
    fused({ gate: x }),
  ],
  [
    'fusedLinear: "gate" expected a weight from 3 to 4, as prepared, got one from 3 to 5',
    (a) => {
      using gate = prepareLinear(a, zeros(3, 5), { order: "in,out" });
      return fused({ gate })(a);
    },
  ],
];
