import { linear, prepareLinear } from "wasm-attention";
import { list, none, q, type Refusal, zeros } from "./refusal";

export const linearRefused: Refusal[] = [
  [
    'prepareLinear: "options" expected an object, got undefined',
    (a) => prepareLinear(a, zeros(2, 2), none),
  ],
  [
    'prepareLinear: "weight.dims" expected [in,out], each at least 1, got [2]',
    (a) => prepareLinear(a, zeros(2), { order: "in,out" }),
  ],
  [
    'prepareLinear: "bias" expected 3 elements, got 2',
    (a) => prepareLinear(a, zeros(2, 3), { order: "in,out", bias: new Float32Array(2) }),
  ],
  ['linear: "prepared" expected a weight from prepareLinear, got []', (a) => linear(a, q, list)],
  [
    'linear: "x.dims" expected […, in] with in = 3, got [1, 2]',
    (a) => {
      using weight = prepareLinear(a, zeros(3, 2), { order: "in,out" });
      return linear(a, zeros(1, 2), weight);
    },
  ],
  ['allocate: "dims" expected an array of sizes, got undefined', (a) => a.allocate(none)],
];
