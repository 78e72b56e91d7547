// linearAttention: attention by a state, by ONNX's four rules and with a feature map.

import { VariantsKernel } from "../../assembly/kinds";
import { LinearAttentionFrame as Frame } from "../../build/frames";
import { type Attention, checkAttention } from "../attend/attention";
import type { Abortable } from "../attend/options";
import { reader } from "../check/names";
import { checkAccumulate } from "../check/values";
import type { Engine } from "../instance/instance";
import type { Steps } from "../run/steps";
import { checkOut, type Tensor } from "../tensor/tensor";
import {
  checkLinear,
  type LinearCall,
  type LinearRuleOptions,
  ruleFields,
  stageLinear,
} from "./linear-sizes";
import { variantSteps } from "./module";

/** Options of `linearAttention`. */
export interface LinearAttentionOptions extends LinearRuleOptions {
  /** Where to write the results: as many elements as they have. `state` may be the one that was given. */
  out?:
    | {
        /** The output. */
        readonly output?: Float32Array | Tensor | undefined;
        /** The state after the last token. */
        readonly state?: Float32Array | Tensor | undefined;
      }
    | undefined;
}

/** What `linearAttention` returns. */
export interface LinearAttentionResult {
  /** In the layout of the query, with the heads of query or value, whichever are more. */
  output: Tensor;
  /** After the last token, [B, Hv, D, Dv] without the axes that the value does not have; normalised, [.., Dv + 1]. */
  state: Tensor;
}

const fields = { ...ruleFields, out: 1 } as const;
const read = reader<LinearAttentionOptions>(fields);
const readAsync = reader<LinearAttentionOptions & Abortable>({ ...fields, signal: 1 });
const readOut = reader<NonNullable<LinearAttentionOptions["out"]>>({ output: 1, state: 1 });

/**
 * Attention without a softmax: what queries read is a state S [D, Dv] of each head, moved by one token after
 * another, so that time grows with the length and a step costs the same however long the past is.
 *
 * - `"linear"`: S ← S + φ(k)vᵀ (Katharopoulos et al. 2020, "Transformers are RNNs")
 * - `"gated"`: S ← e^decay·S + kvᵀ (RetNet, gated linear attention; Yang et al. 2024)
 * - `"delta"`: S ← S + β·k(v − Sᵀk)ᵀ (Schlag et al. 2021)
 * - `"gated_delta"`: S ← e^decay·S, then the delta rule (ONNX LinearAttention, opset 27)
 *
 * and the output is scale · φ(q)ᵀS, normalised divided by φ(q)·Σφ(k) + eps. query [B, H, L, D], key
 * [B, Hk, S, D], value [B, Hv, S, Dv]; Hk divides Hv, and of H and Hv one divides the other. A sequence may be
 * cut anywhere: `state` of one call is that of the next, and the same bits come out. Kept, copied or gone back
 * to, it is a tensor like any other.
 *
 * @throws ArgumentError, MemoryError, DisposedError as `attend`.
 */
export function linearAttention(
  attention: Attention<"variants">,
  query: Tensor,
  key: Tensor,
  value: Tensor,
  options: LinearAttentionOptions = {},
): LinearAttentionResult {
  const name = "linearAttention";
  return checkAttention(name, attention).run(name, (engine) =>
    steps(engine, checkCall(name, query, key, value, read(name, options))),
  );
}

/** `linearAttention` without holding the calling thread; see `attendAsync`. */
export function linearAttentionAsync(
  attention: Attention<"variants">,
  query: Tensor,
  key: Tensor,
  value: Tensor,
  options: LinearAttentionOptions & Abortable = {},
): Promise<LinearAttentionResult> {
  const name = "linearAttentionAsync";
  return checkAttention(name, attention).runAsync(name, () => {
    const { signal, ...given } = readAsync(name, options);
    const call = checkCall(name, query, key, value, given);
    return { signal, steps: (engine) => steps(engine, call) };
  });
}

interface Targets {
  readonly call: LinearCall;
  readonly output: Tensor | undefined;
  readonly state: Tensor | undefined;
}

function checkCall(
  operation: string,
  query: unknown,
  key: unknown,
  value: unknown,
  { out, ...options }: LinearAttentionOptions,
): Targets {
  const call = checkLinear(operation, query, key, value, options);
  const shape = "{ output?, state? }";
  const targets = checkAccumulate(operation, out, undefined, shape, readOut);
  return {
    call,
    output: checkOut(operation, targets.output, call.outputDims, "out.output"),
    state: checkOut(operation, targets.state, call.stateDims, "out.state"),
  };
}

function* steps(engine: Engine, { call, ...out }: Targets): Steps<LinearAttentionResult> {
  const [output, state] = yield* variantSteps(engine, {
    operation: call.operation,
    kernel: VariantsKernel.linearAttention,
    cost: call.cost,
    threadsSlot: Frame.threads,
    scratchSlot: Frame.scratch,
    words: call.words,
    floats: call.floats,
    stage(staging) {
      stageLinear(staging, call);
      return [
        staging.output(Frame.output, call.outputDims, out.output, "out.output"),
        staging.output(Frame.finalState, call.stateDims, out.state, "out.state"),
      ];
    },
  });
  return { output: output as Tensor, state: state as Tensor };
}
