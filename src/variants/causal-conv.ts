// causalConv: the short convolution in front of linear attention, with its state.

import { VariantsKernel } from "../../assembly/kinds";
import { CausalConvFrame as Frame } from "../../build/frames";
import { type Attention, checkAttention } from "../attend/attention";
import type { Abortable } from "../attend/options";
import { reader } from "../check/names";
import { checkAccumulate } from "../check/values";
import { ArgumentError, describe } from "../errors";
import type { Engine } from "../instance/instance";
import type { Staging } from "../run/staging";
import type { Steps } from "../run/steps";
import { checkDimsOf, checkOut, checkTensor, checkVector, type Tensor } from "../tensor/tensor";
import { variantSteps } from "./module";

/** Options that say what is computed, of `causalConv` and its gradients. */
export interface CausalConvForm {
  /** Added to each channel, [C]. */
  bias?: Float32Array | Tensor | undefined;
  /** `"silu"`: y·σ(y); none by default. */
  activation?: "silu" | undefined;
  /** The K − 1 tokens before the first, [B, C, K − 1]; 0 by default. */
  state?: Tensor | undefined;
}

/** Options of `causalConv`. */
export interface CausalConvOptions extends CausalConvForm {
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

/** What `causalConv` returns. */
export interface CausalConvResult {
  /** [B, C, L] */
  output: Tensor;
  /** The last K − 1 tokens, [B, C, K − 1]. */
  state: Tensor;
}

export const convFields = { bias: 1, activation: 1, state: 1 } as const;
const fields = { ...convFields, out: 1 } as const;
const read = reader<CausalConvOptions>(fields);
const readAsync = reader<CausalConvOptions & Abortable>({ ...fields, signal: 1 });
const readOut = reader<NonNullable<CausalConvOptions["out"]>>({ output: 1, state: 1 });

/**
 * y[t] = activation(bias + Σ_k weight[k]·x[t − K + 1 + k]) of each channel by itself (ONNX CausalConvWithState,
 * opset 27): x [B, C, L], weight [C, 1, K] or [C, K]. Cut anywhere, with the state handed on, it gives the same
 * bits.
 *
 * @throws ArgumentError, MemoryError, DisposedError as `attend`.
 */
export function causalConv(
  attention: Attention<"variants">,
  x: Tensor,
  weight: Tensor,
  options: CausalConvOptions = {},
): CausalConvResult {
  const name = "causalConv";
  return checkAttention(name, attention).run(name, (engine) =>
    steps(engine, checkCall(name, x, weight, read(name, options))),
  );
}

/** `causalConv` without holding the calling thread; see `attendAsync`. */
export function causalConvAsync(
  attention: Attention<"variants">,
  x: Tensor,
  weight: Tensor,
  options: CausalConvOptions & Abortable = {},
): Promise<CausalConvResult> {
  const name = "causalConvAsync";
  return checkAttention(name, attention).runAsync(name, () => {
    const { signal, ...given } = readAsync(name, options);
    const call = checkCall(name, x, weight, given);
    return { signal, steps: (engine) => steps(engine, call) };
  });
}

type ConvCall = ReturnType<typeof checkCall>;

function checkCall(
  operation: string,
  x: unknown,
  weight: unknown,
  { out, ...options }: CausalConvOptions,
) {
  const conv = checkConv(operation, x, weight, options);
  const targets = checkAccumulate(operation, out, undefined, "{ output?, state? }", readOut);
  return {
    ...conv,
    output: checkOut(operation, targets.output, conv.input.dims, "out.output"),
    state: checkOut(operation, targets.state, conv.stateDims, "out.state"),
  };
}

/** What the forward pass and the one back are given. */
export type Conv = ReturnType<typeof checkConv>;

export function checkConv(operation: string, x: unknown, weight: unknown, options: CausalConvForm) {
  const input = checkTensor(operation, "x", x);
  if (input.dims.length !== 3)
    throw new ArgumentError(operation, "x.dims", "[B, C, L]", describe(input.dims));
  const [batch, channels, length] = input.dims as [number, number, number];
  const kernel = checkTensor(operation, "weight", weight);
  const { dims } = kernel;
  const size = dims.at(-1) as number;
  const fits = dims.length === 2 || (dims.length === 3 && dims[1] === 1);
  if (!fits || dims[0] !== channels || size < 1) {
    const expected = `[${channels}, 1, K] or [${channels}, K], K from 1`;
    throw new ArgumentError(operation, "weight.dims", expected, describe(dims));
  }
  const { bias, activation, state } = options;
  if (activation !== undefined && activation !== "silu")
    throw new ArgumentError(operation, "activation", '"silu" or no value', describe(activation));
  const stateDims = [batch, channels, size - 1];
  const past = state === undefined ? undefined : checkTensor(operation, "state", state);
  if (past) checkDimsOf(operation, "state", past, stateDims);
  return {
    operation,
    input,
    kernel,
    past,
    stateDims,
    bias: bias === undefined ? undefined : checkVector(operation, "bias", bias, channels),
    cost: batch * channels * length * size,
    words: [
      [Frame.batch, batch],
      [Frame.channels, channels],
      [Frame.length, length],
      [Frame.kernelSize, size],
      [Frame.silu, activation ? 1 : 0],
    ] as const,
  };
}

/** Notes what the call reads. */
export function stageConv(staging: Staging, { input, kernel, bias, past }: Conv): void {
  staging.tensor(Frame.input, "x", input);
  staging.tensor(Frame.weight, "weight", kernel);
  if (bias) staging.tensor(Frame.bias, "bias", bias);
  if (past) staging.tensor(Frame.state, "state", past);
}

function* steps(engine: Engine, call: ConvCall): Steps<CausalConvResult> {
  const { operation, cost, words, stateDims, input } = call;
  const [output, state] = yield* variantSteps(engine, {
    operation,
    kernel: VariantsKernel.causalConv,
    cost,
    threadsSlot: Frame.threads,
    scratchSlot: Frame.scratch,
    words,
    stage(staging) {
      stageConv(staging, call);
      return [
        staging.output(Frame.output, input.dims, call.output, "out.output"),
        staging.output(Frame.finalState, stateDims, call.state, "out.state"),
      ];
    },
  });
  return { output: output as Tensor, state: state as Tensor };
}
