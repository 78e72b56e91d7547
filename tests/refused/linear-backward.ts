import type { Tensor } from "wasm-attention";
import { prepareLinear } from "wasm-attention";
import { linearBackward } from "wasm-attention/training";
import { type Call, q, type Refusal, zeros } from "./refusal";

const linear =
  (options: object, dy: Tensor = zeros(3, 8), x: Tensor = zeros(3, 8), bias = false): Call =>
  (attention) => {
    const given = bias ? { bias: new Float32Array(8) } : {};
    using weight = prepareLinear(attention, zeros(8, 8), { order: "in,out", ...given });
    return linearBackward(attention, dy, x, weight, options);
  };

const update =
  (weight: Tensor, bias?: Float32Array, biased = true): Call =>
  (attention) => {
    const given = biased ? { bias: new Float32Array(8) } : {};
    using prepared = prepareLinear(attention, zeros(4, 8), { order: "in,out", ...given });
    prepared.update(weight, bias);
  };

export const linearBackwardRefused: Refusal[] = [
  [
    'linearBackward: "prepared" expected a weight from prepareLinear, got an object with {data, dims}',
    (attention) => linearBackward(attention, q, q, q as never),
  ],
  ['linearBackward: "x.dims" expected […, in] with in = 8, got [3, 7]', linear({}, q, zeros(3, 7))],
  ['linearBackward: "outputGradient.dims" expected [3, 8], got [4, 8]', linear({}, zeros(4, 8))],
  ['linearBackward: "options" expected an object, got 3', linear(3 as never)],
  ['linearBackward: "gradients" expected an object, got true', linear({ gradients: true })],
  [
    'linearBackward: "gradients.input" expected a boolean, got 0',
    linear({ gradients: { input: 0 } }),
  ],
  [
    'linearBackward: "out" expected { input?, weight?, bias? }, got undefined',
    linear({ accumulate: true }),
  ],
  [
    'linearBackward: "out.weight" expected 8·8 = 64 elements, got 8',
    linear({ out: { weight: new Float32Array(8) } }),
  ],
  [
    'linearBackward: "out.bias" expected no value without a bias, got Float32Array of 8',
    linear({ out: { bias: new Float32Array(8) } }),
  ],
  [
    'linearBackward: "out.bias" expected 8 elements, got 7',
    linear({ out: { bias: new Float32Array(7) } }, zeros(3, 8), zeros(3, 8), true),
  ],
  ['update: "weight.dims" expected [4, 8], got [8, 4]', update(zeros(8, 4), new Float32Array(8))],
  ['update: "bias" expected 8 elements, got 4', update(zeros(4, 8), new Float32Array(4))],
  ['update: "bias" expected a bias, as prepareLinear had, got undefined', update(zeros(4, 8))],
  [
    'update: "bias" expected no bias, as in prepareLinear, got Float32Array of 8',
    update(zeros(4, 8), new Float32Array(8), false),
  ],
];
