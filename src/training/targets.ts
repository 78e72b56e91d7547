// Where a caller wants gradients that several steps make: checked before the first step, filled after the last.

import { isFloats, lengthOf } from "../arrays";
import { reader } from "../check/names";
import { ArgumentError, describe } from "../errors";
import type { LayerWeights } from "../layer/projections";
import type { PreparedLinear } from "../linear/prepared";
import { lengthChanged } from "../run/copy";
import { AllocatedTensor } from "../tensor/allocated";
import { elementsOf } from "../tensor/dims";
import { add, checkOut, set, type Tensor } from "../tensor/tensor";
import type { ProjectionGradients, Targets } from "./layer-options";

/** Where the gradients of a layer's projections go. */
export type ProjectionTargets = {
  readonly [Name in keyof LayerWeights]?: Targets<ProjectionGradients> | undefined;
};

const readPair = reader<Targets<ProjectionGradients>>({ weight: 1, bias: 1 });
const readFour = reader<ProjectionTargets>({ query: 1, key: 1, value: 1, output: 1 });

interface PairDims {
  readonly weight: readonly number[] | undefined;
  readonly bias: readonly number[] | undefined;
}

/** Targets by the names of their gradients, which are those of their arguments after `out.`. */
export class GradientTargets {
  readonly #operation: string;
  readonly #accumulate: boolean;
  readonly #requested = new Map<string, { readonly given: unknown; readonly checked: Tensor }>();

  constructor(operation: string, accumulate = false) {
    this.#operation = operation;
    this.#accumulate = accumulate;
  }

  /** `dims` are those of the gradient, undefined where there is none. */
  request(name: string, target: unknown, dims: readonly number[] | undefined): void {
    if (target === undefined) return;
    const argument = `out.${name}`;
    if (!dims) {
      const expected = "no value without such a gradient";
      throw new ArgumentError(this.#operation, argument, expected, describe(target));
    }
    const checked = checkOut(this.#operation, target, dims, argument) as Tensor;
    this.#requested.set(name, { given: target, checked });
  }

  /** Those of a weight and its bias, by names that begin with `of`. */
  requestPair(of: string, given: unknown, { weight, bias }: PairDims): void {
    if (given === undefined) return;
    const read = readPair(this.#operation, given, `out.${of}`);
    this.request(`${of}.weight`, read.weight, weight);
    this.request(`${of}.bias`, read.bias, bias);
  }

  /** Those of an attention's projections. */
  requestProjections(
    of: string,
    given: unknown,
    projections: Readonly<Record<keyof LayerWeights, PreparedLinear>> | undefined,
  ): void {
    if (given === undefined) return;
    const read = readFour(this.#operation, given, `out.${of}`);
    for (const name of ["query", "key", "value", "output"] as const)
      this.requestPair(`${of}.${name}`, read[name], dimsOf(projections?.[name]));
  }

  /** Once all gradients are there: what has become of the targets meanwhile. No delivery fails after it. */
  open(): void {
    for (const [name, { checked }] of this.#requested) {
      const argument = `out.${name}`;
      if (checked instanceof AllocatedTensor) checked.address(this.#operation, argument);
      const elements = elementsOf(checked.dims);
      if (lengthOf(checked.data) === elements) continue;
      throw lengthChanged(this.#operation, argument, checked.data, elements);
    }
  }

  /** The gradient where it was asked for, or itself. */
  deliver(name: string, gradient: Tensor): Tensor {
    const target = this.#requested.get(name);
    if (!target) return gradient;
    const { given, checked } = target;
    const { data } = checked;
    if (this.#accumulate) add(data, gradient.data);
    else set(data, gradient.data);
    return isFloats(given) ? { data, dims: gradient.dims } : (given as Tensor);
  }
}

/** Of the matrix and the bias of a prepared weight. */
export const dimsOf = (weight: PreparedLinear | undefined): PairDims => ({
  weight: weight?.weightDims,
  bias: weight?.biasDims,
});
