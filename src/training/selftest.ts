// Known answers of the training kernels, see selftest.ts.

import { at, check, dot, inputs, type Numbers, numbers } from "../answers";
import type { Attention } from "../attend/attention";
import { prepareLinear } from "../linear/linear";
import { product, softmaxed } from "../selftest";
import type { Tensor } from "../tensor/tensor";
import { attendBackward } from "./attend";
import { linearBackward } from "./linear";

export function checkTraining(name: string, attention: Attention<"training">): void {
  checkGradients(name, attention);
  checkLinearGradients(name, attention);
}

/** Gradients along one direction. */
function checkGradients(name: string, attention: Attention<"training">): void {
  const options = { causal: true, softcap: 2 } as const;
  const sizes = [2, 70, 6, 150, 9] as const;
  const tensors = inputs(sizes);
  const [query, key, value] = tensors;
  const step = tensors.map(({ data }) => data.map((_, i) => Math.cos(i)));
  const state = attention.attend(query, key, value, { ...options, logSumExp: true });
  const outputGradient = numbers(state.output.dims, 4);
  const { output, logSumExp } = state;
  const pass = { query, key, value, output, logSumExp, outputGradient };
  const got = attendBackward(attention, pass, options);
  const gradients = [got.queryGradient, got.keyGradient, got.valueGradient];
  const moved = (by: number) => {
    const places = tensors.map(({ data }, i) =>
      Array.from(data, (x, j) => x + by * at(step[i], j)),
    );
    return dot(outputGradient.data, softmaxed(sizes, places, options).output);
  };
  const along = gradients.reduce((sum, { data }, i) => sum + dot(data, step[i] as Numbers), 0);
  check(name, "attendBackward", [along / 100], [(moved(1e-4) - moved(-1e-4)) / 2e-2]);
}

/** By what is the same number: Σ y ∘ (x·W) = Σ (y·Wᵀ) ∘ x = Σ (xᵀ·y) ∘ W. */
function checkLinearGradients(name: string, attention: Attention<"training">): void {
  const [x, weight, y] = [numbers([70, 33], 5), numbers([33, 41], 6), numbers([70, 41], 7)];
  using prepared = prepareLinear(attention, weight, { order: "in,out" });
  const { inputGradient, weightGradient } = linearBackward(attention, y, x, prepared);
  const sum = dot(y.data, product(x, weight)) / 100;
  const got = [
    dot((inputGradient as Tensor).data, x.data) / 100,
    dot(weightGradient.data, weight.data) / 100,
  ];
  check(name, "linearBackward", got, [sum, sum]);
}
