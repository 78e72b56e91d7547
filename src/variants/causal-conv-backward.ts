// Gradients of causalConv.

import { VariantsKernel } from "../../assembly/kinds";
import { CausalConvFrame as Frame } from "../../build/frames";
import { type Attention, checkAttention } from "../attend/attention";
import type { Abortable } from "../attend/options";
import { reader } from "../check/names";
import { checkAccumulate } from "../check/values";
import type { Engine } from "../instance/instance";
import type { Steps } from "../run/steps";
import { checkDimsOf, checkTensor, type Tensor } from "../tensor/tensor";
import { type CausalConvForm, type Conv, checkConv, convFields, stageConv } from "./causal-conv";
import { variantSteps } from "./module";
import { stageWanted, type Wanted, wantedOf } from "./wanted";

/** What `causalConv` was given, and the gradients of what it gave. */
export interface CausalConvPass {
  /** As `causalConv` was given it. */
  readonly x: Tensor;
  /** As `causalConv` was given it. */
  readonly weight: Tensor;
  /** In the dims of the output. */
  readonly outputGradient: Tensor;
  /** In the dims of the state after the last token; 0 by default. */
  readonly stateGradient?: Tensor | undefined;
}

/** Options of `causalConvBackward`: those of the forward pass, and where gradients go. */
export interface CausalConvBackwardOptions extends CausalConvForm {
  /** Where to write the gradients: as many elements as the tensors have. */
  out?:
    | {
        /** Of x. */
        readonly input?: Float32Array | Tensor | undefined;
        /** Of the weight. */
        readonly weight?: Float32Array | Tensor | undefined;
        /** Of the bias. */
        readonly bias?: Float32Array | Tensor | undefined;
        /** Of the state before the first token. */
        readonly state?: Float32Array | Tensor | undefined;
      }
    | undefined;
  /** Whether to add the gradients to what is in `out`. */
  accumulate?: boolean | undefined;
}

/** What `causalConvBackward` returns. */
export interface CausalConvGradients {
  /** In the dims of x. */
  inputGradient: Tensor;
  /** In the dims of the weight. */
  weightGradient: Tensor;
  /** [C], where there is a bias. */
  biasGradient?: Tensor;
  /** In the dims of the state, where one was given. */
  stateGradient?: Tensor;
}

const fields = { ...convFields, out: 1, accumulate: 1 } as const;
const read = reader<CausalConvBackwardOptions>(fields);
const readAsync = reader<CausalConvBackwardOptions & Abortable>({ ...fields, signal: 1 });
type Name = "input" | "weight" | "bias" | "state";
const readOut = reader<NonNullable<CausalConvBackwardOptions["out"]>>({
  input: 1,
  weight: 1,
  bias: 1,
  state: 1,
});
const readPass = reader<CausalConvPass>(
  { x: 1, weight: 1, outputGradient: 1, stateGradient: 1 },
  "{ x, weight, outputGradient, stateGradient? }",
);

const SLOTS: Readonly<Record<Name, Frame>> = {
  input: Frame.inputGradient,
  weight: Frame.weightGradient,
  bias: Frame.biasGradient,
  state: Frame.stateGradient,
};

/**
 * Gradients of `causalConv`: of x, weight and, where they were given, bias and state. A sequence that was cut goes
 * back piece by piece: `stateGradient` of a later one is the gradient of the state that the one before gave.
 *
 * @throws ArgumentError, MemoryError, DisposedError as `attend`.
 */
export function causalConvBackward(
  attention: Attention<"variants">,
  pass: CausalConvPass,
  options: CausalConvBackwardOptions = {},
): CausalConvGradients {
  const name = "causalConvBackward";
  return checkAttention(name, attention).run(name, (engine) =>
    steps(engine, checkCall(name, pass, read(name, options))),
  );
}

/** `causalConvBackward` without holding the calling thread; see `attendAsync`. */
export function causalConvBackwardAsync(
  attention: Attention<"variants">,
  pass: CausalConvPass,
  options: CausalConvBackwardOptions & Abortable = {},
): Promise<CausalConvGradients> {
  const name = "causalConvBackwardAsync";
  return checkAttention(name, attention).runAsync(name, () => {
    const { signal, ...given } = readAsync(name, options);
    const call = checkCall(name, pass, given);
    return { signal, steps: (engine) => steps(engine, call) };
  });
}

interface BackwardCall {
  readonly conv: Conv;
  readonly outputGradient: Tensor;
  readonly stateGradient: Tensor | undefined;
  readonly wanted: readonly Wanted<Name>[];
  readonly added: boolean;
}

function checkCall(
  operation: string,
  given: CausalConvPass,
  { out, accumulate, ...options }: CausalConvBackwardOptions,
): BackwardCall {
  const pass = readPass(operation, given, "pass");
  const conv = checkConv(operation, pass.x, pass.weight, options);
  const like = (name: "outputGradient" | "stateGradient", dims: readonly number[]) => {
    const tensor = checkTensor(operation, name, pass[name]);
    checkDimsOf(operation, name, tensor, dims);
    return tensor;
  };
  const outputGradient = like("outputGradient", conv.input.dims);
  const reaching = pass.stateGradient !== undefined;
  const shape = "{ input?, weight?, bias?, state? }";
  const targets = checkAccumulate(operation, out, accumulate, shape, readOut);
  const tensors = { input: conv.input, weight: conv.kernel, bias: conv.bias, state: conv.past };
  const wanted = wantedOf(operation, tensors, targets);
  return {
    conv,
    outputGradient,
    stateGradient: reaching ? like("stateGradient", conv.stateDims) : undefined,
    wanted,
    added: accumulate === true,
  };
}

function* steps(engine: Engine, call: BackwardCall): Steps<CausalConvGradients> {
  const { conv, outputGradient, stateGradient, wanted, added } = call;
  const results = yield* variantSteps(engine, {
    operation: conv.operation,
    kernel: VariantsKernel.causalConvBackward,
    cost: 3 * conv.cost,
    threadsSlot: Frame.threads,
    scratchSlot: Frame.scratch,
    words: conv.words,
    stage(staging) {
      stageConv(staging, conv);
      staging.tensor(Frame.outputGradient, "outputGradient", outputGradient);
      if (stateGradient) staging.tensor(Frame.finalStateGradient, "stateGradient", stateGradient);
      return stageWanted(staging, wanted, SLOTS, added);
    },
  });
  const named = wanted.map(({ name }, index) => [`${name}Gradient`, results[index]]);
  return Object.fromEntries(named) as CausalConvGradients;
}
