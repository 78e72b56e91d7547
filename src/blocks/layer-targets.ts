// Options of transformerBackward: where the gradients of a layer go.

import { reader } from "../check/names";
import { checkAccumulate } from "../check/values";
import type { Tensor } from "../tensor/tensor";
import type { Targets } from "../training/layer-options";
import { dimsOf, GradientTargets, type ProjectionTargets } from "../training/targets";
import type { TransformerParts } from "./layer-check";
import type { NormParameterGradients, TransformerWeightGradients } from "./layer-options";

/** Options of `transformerBackward`. */
export interface TransformerBackwardOptions {
  /** Where to write the gradients: as many elements as they have. */
  out?:
    | {
        /** Of x. */
        readonly input?: Float32Array | Tensor | undefined;
        /** Of a decoder layer's memory. */
        readonly memory?: Float32Array | Tensor | undefined;
        /** Of the parameters, by their names. */
        readonly weights?: TransformerTargets | undefined;
      }
    | undefined;
  /** Whether to add the gradients to what is in `out`. */
  accumulate?: boolean | undefined;
}

/** Where the gradients of a layer's parameters go. */
export interface TransformerTargets {
  /** Of the self-attention's projections. */
  readonly selfAttention?: ProjectionTargets | undefined;
  /** Of the cross-attention's, in a decoder. */
  readonly crossAttention?: ProjectionTargets | undefined;
  /** Of the feed-forward part. */
  readonly linear1?: Targets<TransformerWeightGradients["linear1"]> | undefined;
  /** Of its gate, where it has one. */
  readonly gate?: Targets<TransformerWeightGradients["linear1"]> | undefined;
  /** Of its end. */
  readonly linear2?: Targets<TransformerWeightGradients["linear2"]> | undefined;
  /** Of the norms, where they have parameters. */
  readonly norm1?: Targets<NormParameterGradients> | undefined;
  /** The second. */
  readonly norm2?: Targets<NormParameterGradients> | undefined;
  /** The third, in a decoder. */
  readonly norm3?: Targets<NormParameterGradients> | undefined;
}

export const backwardFields = { out: 1, accumulate: 1 } as const;
const readOut = reader<NonNullable<TransformerBackwardOptions["out"]>>({
  input: 1,
  memory: 1,
  weights: 1,
});
const readWeights = reader<TransformerTargets>({
  selfAttention: 1,
  crossAttention: 1,
  linear1: 1,
  gate: 1,
  linear2: 1,
  norm1: 1,
  norm2: 1,
  norm3: 1,
});

/** `options` as they were read; `dims` of x and the memory. */
export function checkTargets(
  operation: string,
  { out: given, accumulate }: TransformerBackwardOptions,
  parts: TransformerParts,
  dims: Readonly<Record<"input" | "memory", readonly number[] | undefined>>,
): GradientTargets {
  const shape = "{ input?, memory?, weights? }";
  const out = checkAccumulate(operation, given, accumulate, shape, readOut);
  const targets = new GradientTargets(operation, accumulate);
  for (const name of ["input", "memory"] as const) targets.request(name, out[name], dims[name]);
  if (out.weights === undefined) return targets;
  const wanted = readWeights(operation, out.weights, "out.weights");
  const { self, cross } = parts;
  for (const [name, layer] of [
    ["selfAttention", self] as const,
    ["crossAttention", cross] as const,
  ])
    targets.requestProjections(
      `weights.${name}`,
      wanted[name],
      layer?.parts(operation).projections,
    );
  for (const name of ["linear1", "gate", "linear2"] as const)
    targets.requestPair(`weights.${name}`, wanted[name], dimsOf(parts[name]));
  for (const [index, name] of (["norm1", "norm2", "norm3"] as const).entries()) {
    const { weight, bias } = parts.norms[index] ?? {};
    targets.requestPair(`weights.${name}`, wanted[name], {
      weight: weight?.dims,
      bias: bias?.dims,
    });
  }
  return targets;
}
