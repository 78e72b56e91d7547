// The gradient of each parameter of a model against the slope of its loss.

import assert from "node:assert/strict";
import type { Parameter } from "../../examples/training/block";
import { randomArray } from "../engines";

interface Model {
  readonly parameters: readonly Parameter[];
  /** After its parameters have changed. */
  update(): void;
}

/** A long step goes over bends of relu, a short one is lost in rounding. */
const STEPS = [5e-3, 1e-2, 2e-3];

/** `loss` is of the model as it is; the gradients in its parameters are of the same. */
export function checkSlopes(model: Model, loss: () => number): void {
  const gradients = model.parameters.map(({ gradient }) => gradient.slice());
  for (const [index, { data, dims }] of model.parameters.entries()) {
    // Along the gradient, where the loss moves most, and a little beside it, so that no element goes unseen.
    const own = gradients[index] as Float32Array;
    const length = Math.hypot(...own);
    assert.ok(length > 0, `parameter ${index} [${dims}] has a gradient`);
    const beside = randomArray(own.length, index + 1, 0.3 / Math.sqrt(own.length));
    const along = own.map((value, i) => value / length + (beside[i] as number));
    const before = data.slice();
    const at = (by: number) => {
      for (let i = 0; i < data.length; i++) data[i] = before[i] + by * along[i];
      model.update();
      return loss();
    };
    const got = own.reduce((sum, value, i) => sum + value * along[i], 0);
    const slopes: number[] = [];
    const right = STEPS.some((step) => {
      const slope = (at(step) - at(-step)) / (2 * step);
      slopes.push(slope);
      return Math.abs(got - slope) < 1e-2 * Math.abs(slope) + 3e-5;
    });
    assert.ok(right, `parameter ${index} [${dims}]: ${got}, not ${slopes}`);
    at(0);
  }
}
