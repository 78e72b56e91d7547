// What attendBackward is given of the forward pass's results and of their gradients.

import { BackwardFrame } from "../../build/frames";
import type { AttendCall } from "../attend/forward";
import { ArgumentError, describe } from "../errors";
import { checkDimsOf, checkTensor, type Tensor } from "../tensor/tensor";
import type { AttendPass } from "./options";

/** What the forward pass gave, and the gradients of it. */
export type PassedBack = Omit<AttendPass, "query" | "key" | "value" | "scores">;

/** Tensors by their names, and where the frame has them. */
export const GIVEN = [
  ["output", BackwardFrame.output],
  ["logSumExp", BackwardFrame.logSumExp],
  ["outputGradient", BackwardFrame.outputGradient],
  ["weights", BackwardFrame.weights],
  ["weightsGradient", BackwardFrame.weightsGradient],
  ["logSumExpGradient", BackwardFrame.logSumExpGradient],
] as const;

type Given = { readonly [Name in (typeof GIVEN)[number][0]]?: Tensor | undefined };

export function checkGiven(call: AttendCall, passed: PassedBack): PassedBack & Given {
  const { operation, shapes } = call;
  const { outputDims, logSumExpDims, endToEnd, keys } = shapes;
  const outputGradient = like(operation, "outputGradient", passed.outputGradient, outputDims);
  // Its own check what else they need.
  if (call.options.normalizer !== undefined) return { ...passed, outputGradient };
  const needed = (name: keyof Given, from: string, dims: readonly number[]) => {
    if (passed[name] !== undefined) return like(operation, name, passed[name], dims);
    throw new ArgumentError(operation, name, `what attend returned with ${from}`, "undefined");
  };
  const logSumExp = needed("logSumExp", "logSumExp: true", logSumExpDims);
  const output = like(operation, "output", passed.output, outputDims);
  const { weightsGradient, logSumExpGradient } = passed;
  const optional = {
    ...(logSumExpGradient !== undefined && {
      logSumExpGradient: like(operation, "logSumExpGradient", logSumExpGradient, logSumExpDims),
    }),
  };
  if (weightsGradient === undefined) {
    return { output, logSumExp, outputGradient, ...optional };
  }
  const { weights } = call.options;
  if (endToEnd || weights === "mean") {
    const why = endToEnd
      ? "sequences are laid end to end"
      : "it is that of each head's, not of their mean";
    const expected = `no value: ${why}`;
    throw new ArgumentError(operation, "weightsGradient", expected, describe(weightsGradient));
  }
  const dims = [...logSumExpDims, keys];
  return {
    ...{ output, logSumExp, outputGradient, ...optional },
    weights: needed("weights", "weights: true", dims),
    weightsGradient: like(operation, "weightsGradient", weightsGradient, dims),
  };
}

/** A tensor of these dims. */
function like(operation: string, argument: string, value: unknown, dims: readonly number[]) {
  const checked = checkTensor(operation, argument, value);
  checkDimsOf(operation, argument, checked, dims);
  return checked;
}
