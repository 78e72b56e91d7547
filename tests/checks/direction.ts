// Gradients of everything at once, along one drawn direction, against the slope of a loss in float64.

import assert from "node:assert/strict";
import type { Tensor } from "wasm-attention";
import { randomArray } from "../engines";

type Gradients = Record<string, Tensor | undefined>;

/** The gradients along one direction of everything, and the slope of the formula's loss along it. */
export function alongDirection<Solution>(
  { numbers, truth }: { readonly numbers: Record<string, Float64Array>; truth(): Solution },
  gradients: Gradients,
  loss: (solution: Solution) => number,
  first: number,
): void {
  let [got, size] = [0, 0];
  const directions = Object.entries(gradients).flatMap(([name, gradient], at) => {
    if (!gradient) return [];
    const direction = randomArray(gradient.data.length, first + at);
    assert.equal(numbers[name].length, gradient.data.length, name);
    gradient.data.forEach((g, i) => {
      got += g * direction[i];
      size += Math.abs(g * direction[i]);
    });
    return [[numbers[name], direction, numbers[name].slice()] as const];
  });
  const slope = (step: number) => {
    const at = (t: number) => {
      for (const [x, direction, from] of directions)
        x.forEach((_, i) => {
          x[i] = from[i] + t * direction[i];
        });
      return loss(truth());
    };
    const difference = (at(step) - at(-step)) / (2 * step);
    for (const [x, , from] of directions) x.set(from);
    return difference;
  };
  const allowed = 2e-4 * Math.max(size, 1);
  const errors: number[] = [];
  // A key that enters the support between the two sides bends one of the differences.
  for (const step of [1e-6, 1e-7, 1e-5]) {
    errors.push(Math.abs(slope(step) - got));
    if (Math.min(...errors) <= allowed) return;
  }
  assert.fail(`a slope of ${got} is off by ${errors}`);
}

export const dot = (a: ArrayLike<number>, b: ArrayLike<number>) => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
};
