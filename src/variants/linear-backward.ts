// Gradients of linearAttention.

import { VariantsKernel } from "../../assembly/kinds";
import { LinearAttentionFrame as Frame } from "../../build/frames";
import { type Attention, checkAttention } from "../attend/attention";
import type { Abortable } from "../attend/options";
import { reader } from "../check/names";
import { checkAccumulate } from "../check/values";
import type { Engine } from "../instance/instance";
import type { Steps } from "../run/steps";
import { checkDimsOf, checkTensor, type Tensor } from "../tensor/tensor";
import {
  checkLinear,
  type LinearCall,
  type LinearRuleOptions,
  ruleFields,
  stageLinear,
} from "./linear-sizes";
import { variantSteps } from "./module";
import { stageWanted, type Wanted, wantedOf } from "./wanted";

/** What `linearAttention` was given, and the gradients of what it gave. */
export interface LinearAttentionPass {
  /** As `linearAttention` was given it. */
  readonly query: Tensor;
  /** As `linearAttention` was given it. */
  readonly key: Tensor;
  /** As `linearAttention` was given it. */
  readonly value: Tensor;
  /** In the dims of the output. */
  readonly outputGradient: Tensor;
  /** In the dims of the state after the last token; 0 by default. */
  readonly stateGradient?: Tensor | undefined;
}

/** Options of `linearAttentionBackward`: those of the forward pass, and where gradients go. */
export interface LinearAttentionBackwardOptions extends LinearRuleOptions {
  /** Where to write the gradients: as many elements as the tensors have. */
  out?:
    | {
        /** Of the query. */
        readonly query?: Float32Array | Tensor | undefined;
        /** Of the key. */
        readonly key?: Float32Array | Tensor | undefined;
        /** Of the value. */
        readonly value?: Float32Array | Tensor | undefined;
        /** Of the decays. */
        readonly decay?: Float32Array | Tensor | undefined;
        /** Of the betas. */
        readonly beta?: Float32Array | Tensor | undefined;
        /** Of the state before the first token. */
        readonly state?: Float32Array | Tensor | undefined;
      }
    | undefined;
  /** Whether to add the gradients to what is in `out`. */
  accumulate?: boolean | undefined;
}

/** What `linearAttentionBackward` returns. */
export interface LinearAttentionGradients {
  /** In the dims of the query. */
  queryGradient: Tensor;
  /** In the dims of the key. */
  keyGradient: Tensor;
  /** In the dims of the value. */
  valueGradient: Tensor;
  /** In the dims of the decays, where there are any. */
  decayGradient?: Tensor;
  /** In the dims of the betas, where there are any. */
  betaGradient?: Tensor;
  /** In the dims of the state, where one was given. */
  stateGradient?: Tensor;
}

const fields = { ...ruleFields, out: 1, accumulate: 1 } as const;
const read = reader<LinearAttentionBackwardOptions>(fields);
const readAsync = reader<LinearAttentionBackwardOptions & Abortable>({ ...fields, signal: 1 });
type Name = "query" | "key" | "value" | "decay" | "beta" | "state";
const readOut = reader<NonNullable<LinearAttentionBackwardOptions["out"]>>({
  query: 1,
  key: 1,
  value: 1,
  decay: 1,
  beta: 1,
  state: 1,
});
const readPass = reader<LinearAttentionPass>(
  { query: 1, key: 1, value: 1, outputGradient: 1, stateGradient: 1 },
  "{ query, key, value, outputGradient, stateGradient? }",
);

const SLOTS: Readonly<Record<Name, Frame>> = {
  query: Frame.queryGradient,
  key: Frame.keyGradient,
  value: Frame.valueGradient,
  decay: Frame.decayGradient,
  beta: Frame.betaGradient,
  state: Frame.stateGradient,
};

/**
 * Gradients of `linearAttention`: of query, key, value, of the decays and betas and, where one was given, of the
 * state. The states are gone through once more, so that memory grows with the length alone. A sequence that was
 * cut goes back piece by piece: `stateGradient` of a later one is the gradient of the state that the one before
 * gave.
 *
 * @throws ArgumentError, MemoryError, DisposedError as `attend`.
 */
export function linearAttentionBackward(
  attention: Attention<"variants">,
  pass: LinearAttentionPass,
  options: LinearAttentionBackwardOptions = {},
): LinearAttentionGradients {
  const name = "linearAttentionBackward";
  return checkAttention(name, attention).run(name, (engine) =>
    steps(engine, checkCall(name, pass, read(name, options))),
  );
}

/** `linearAttentionBackward` without holding the calling thread; see `attendAsync`. */
export function linearAttentionBackwardAsync(
  attention: Attention<"variants">,
  pass: LinearAttentionPass,
  options: LinearAttentionBackwardOptions & Abortable = {},
): Promise<LinearAttentionGradients> {
  const name = "linearAttentionBackwardAsync";
  return checkAttention(name, attention).runAsync(name, () => {
    const { signal, ...given } = readAsync(name, options);
    const call = checkCall(name, pass, given);
    return { signal, steps: (engine) => steps(engine, call) };
  });
}

interface BackwardCall {
  readonly call: LinearCall;
  readonly outputGradient: Tensor;
  readonly stateGradient: Tensor | undefined;
  readonly wanted: readonly Wanted<Name>[];
  readonly added: boolean;
}

function checkCall(
  operation: string,
  given: LinearAttentionPass,
  { out, accumulate, ...options }: LinearAttentionBackwardOptions,
): BackwardCall {
  const pass = readPass(operation, given, "pass");
  const call = checkLinear(operation, pass.query, pass.key, pass.value, options);
  const outputGradient = checkTensor(operation, "outputGradient", pass.outputGradient);
  checkDimsOf(operation, "outputGradient", outputGradient, call.outputDims);
  const { stateGradient: reaching } = pass;
  const stateGradient = reaching && checkTensor(operation, "stateGradient", reaching);
  if (stateGradient) checkDimsOf(operation, "stateGradient", stateGradient, call.stateDims);
  const shape = "{ query?, key?, value?, decay?, beta?, state? }";
  const targets = checkAccumulate(operation, out, accumulate, shape, readOut);
  const tensors = { ...call.inputs, decay: call.decay, beta: call.beta, state: call.state };
  const wanted = wantedOf(operation, tensors, targets);
  return { call, outputGradient, stateGradient, wanted, added: accumulate === true };
}

function* steps(engine: Engine, given: BackwardCall): Steps<LinearAttentionGradients> {
  const { call, outputGradient, stateGradient, wanted, added } = given;
  const results = yield* variantSteps(engine, {
    operation: call.operation,
    kernel: VariantsKernel.linearBackward,
    // Forward, R and two recurrences of two readers each.
    cost: (call.beta ? 6 : 3) * call.cost,
    threadsSlot: Frame.threads,
    scratchSlot: Frame.scratch,
    words: [...call.words, [Frame.backward, 1]],
    floats: call.floats,
    stage(staging) {
      stageLinear(staging, call);
      staging.tensor(Frame.outputGradient, "outputGradient", outputGradient);
      if (stateGradient) staging.tensor(Frame.finalStateGradient, "stateGradient", stateGradient);
      return stageWanted(staging, wanted, SLOTS, added);
    },
  });
  const named = wanted.map(({ name }, index) => [`${name}Gradient`, results[index]]);
  return Object.fromEntries(named) as LinearAttentionGradients;
}
