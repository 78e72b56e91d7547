// How much each head of a layer matters.
//
// With a mask ξ over heads the layer is Σ ξ_h · mixed_h · W_h + bias, W_h the rows of the output's projection
// that head h is multiplied by. ∂loss/∂ξ_h at ξ = 1 is therefore Σ W_h ⊙ ∂loss/∂W_h (Michel, Levy and Neubig
// 2019, "Are Sixteen Heads Really Better than One?", section 4.1).

import type { TransformerDecoderLayer, TransformerEncoderLayer } from "../blocks/index";
import { reader } from "../check/names";
import { ArgumentError, describe } from "../errors";
import { composedOf } from "../layer/composed";
import type { LayerParts } from "../layer/forward";
import type { MultiHeadAttention } from "../layer/multihead";
import { checkDimsOf, checkTensor, type Tensor } from "../tensor/tensor";
import { checkHeads, type Smaller } from "./layers";
import { at, matrixOf } from "./matrix";

/** Options of `headImportance`. */
export interface HeadImportanceOptions {
  /** Which attention of a decoder layer; `"selfAttention"` by default. */
  of?: "selfAttention" | "crossAttention" | undefined;
}

const readImportance = reader<HeadImportanceOptions>({ of: 1 });

/**
 * |∂loss/∂ξ_h| of each query head, from the gradient of the output projection's weight that
 * `multiHeadBackward` gives: `gradients.weights.output.weight`; of a transformer's layer
 * `gradients.weights.selfAttention.output.weight` of `transformerBackward`, or with `of: "crossAttention"`
 * that of the other. Of one example at a time, added up over some: within a batch gradients of either sign
 * cancel, and in a trained model to nothing.
 *
 * @returns H numbers, [H].
 * @throws ArgumentError for a gradient of other dims, projections of few bits, or an attention that the layer
 * does not have.
 */
export function headImportance(
  layer: MultiHeadAttention | TransformerEncoderLayer | TransformerDecoderLayer,
  weightGradient: Tensor,
  options: HeadImportanceOptions = {},
): Float32Array {
  const name = "headImportance";
  const { of } = readImportance(name, options);
  const { attention, heads, projections } = partsOf(name, layer, of);
  const engine = attention.running(name);
  const gradient = checkTensor(name, "weightGradient", weightGradient);
  checkDimsOf(name, "weightGradient", gradient, projections.output.weightDims);
  const weight = matrixOf(engine, name, projections.output, "output");
  const size = weight.inputs / heads;
  const { data } = gradient;
  return Float32Array.from({ length: heads }, (_, head) => {
    let slope = 0;
    for (let input = head * size; input < (head + 1) * size; input++) {
      for (let output = 0; output < weight.outputs; output++) {
        const index = at(weight, output, input);
        slope += (weight.data[index] as number) * (data[index] as number);
      }
    }
    return Math.abs(slope);
  });
}

function partsOf(operation: string, layer: Smaller, of: unknown): LayerParts {
  const attentions = composedOf(layer)?.parts(operation).attentions;
  const parts = attentions ?? { selfAttention: checkHeads(operation, layer) };
  const role = of === undefined ? "selfAttention" : of;
  if (typeof role === "string" && Object.hasOwn(parts, role)) {
    return parts[role as "selfAttention"];
  }
  const expected = Object.keys(parts)
    .map((name) => `"${name}"`)
    .join(" or ");
  throw new ArgumentError(operation, "of", expected, describe(of));
}
