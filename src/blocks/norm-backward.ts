// Gradients of layerNorm and rmsNorm.

import { BlocksKernel } from "../../assembly/kinds";
import { NormFrame } from "../../build/frames";
import { type Attention, checkAttention } from "../attend/attention";
import type { Abortable } from "../attend/options";
import { reader } from "../check/names";
import { checkAccumulate } from "../check/values";
import { ArgumentError, describe } from "../errors";
import type { Engine } from "../instance/instance";
import type { Steps } from "../run/steps";
import { checkDimsOf, checkOut, checkTensor, type Tensor } from "../tensor/tensor";
import { blockSteps } from "./module";
import { checkNormalised, type Normalised, normFields, type RmsNormOptions } from "./norm";

/** Options of `layerNormBackward` and `rmsNormBackward`: those of the forward pass, and where gradients go. */
export interface NormBackwardOptions
  extends Pick<RmsNormOptions, "weight" | "bias" | "eps" | "axis"> {
  /** In the dims of x: what reaches x (with a residual, the sum) besides, added to its gradient. */
  sumGradient?: Tensor | undefined;
  /** Where to write the gradients: as many elements as they have. */
  out?:
    | {
        /** Of x. */
        readonly input?: Float32Array | Tensor | undefined;
        /** Of the weight. */
        readonly weight?: Float32Array | Tensor | undefined;
        /** Of the bias. */
        readonly bias?: Float32Array | Tensor | undefined;
      }
    | undefined;
  /** Whether to add the gradients to what is in `out`. */
  accumulate?: boolean | undefined;
}

/** What `layerNormBackward` and `rmsNormBackward` return. */
export interface NormGradients {
  /** In the dims of x; with a residual that of the sum, and so of both. */
  inputGradient: Tensor;
  /** In the dims of the weight, where there is one. */
  weightGradient?: Tensor;
  /** In the dims of the bias, where there is one. */
  biasGradient?: Tensor;
}

const fields = { ...normFields, sumGradient: 1, out: 1, accumulate: 1 } as const;
const readBackward = reader<NormBackwardOptions>(fields);
const readBackwardAsync = reader<NormBackwardOptions & Abortable>({ ...fields, signal: 1 });
const readOut = reader<NonNullable<NormBackwardOptions["out"]>>({ input: 1, weight: 1, bias: 1 });

/**
 * Gradients of `layerNorm`'s x, weight and bias: outputGradient and x in the same dims; x is what was
 * normalised, with a residual the `sum`. The bias is asked for by being given; its numbers are not read.
 *
 * @throws ArgumentError, MemoryError, DisposedError as `attend`.
 */
export function layerNormBackward(
  attention: Attention<"blocks">,
  outputGradient: Tensor,
  x: Tensor,
  options: NormBackwardOptions = {},
): NormGradients {
  return now("layerNormBackward", attention, true, { outputGradient, x }, options);
}

/** `layerNormBackward` without holding the calling thread; see `attendAsync`. */
export function layerNormBackwardAsync(
  attention: Attention<"blocks">,
  outputGradient: Tensor,
  x: Tensor,
  options: NormBackwardOptions & Abortable = {},
): Promise<NormGradients> {
  return later("layerNormBackwardAsync", attention, true, { outputGradient, x }, options);
}

/**
 * Gradients of `rmsNorm`'s x, weight and bias; as `layerNormBackward`.
 *
 * @throws ArgumentError, MemoryError, DisposedError as `attend`.
 */
export function rmsNormBackward(
  attention: Attention<"blocks">,
  outputGradient: Tensor,
  x: Tensor,
  options: NormBackwardOptions = {},
): NormGradients {
  return now("rmsNormBackward", attention, false, { outputGradient, x }, options);
}

/** `rmsNormBackward` without holding the calling thread; see `attendAsync`. */
export function rmsNormBackwardAsync(
  attention: Attention<"blocks">,
  outputGradient: Tensor,
  x: Tensor,
  options: NormBackwardOptions & Abortable = {},
): Promise<NormGradients> {
  return later("rmsNormBackwardAsync", attention, false, { outputGradient, x }, options);
}

interface Pass {
  readonly outputGradient: Tensor;
  readonly x: Tensor;
}

function now(
  name: string,
  attention: Attention<"blocks">,
  centred: boolean,
  pass: Pass,
  options: NormBackwardOptions,
): NormGradients {
  return checkAttention(name, attention).run(name, (engine) =>
    normBackwardSteps(engine, checkBackward(name, centred, pass, readBackward(name, options))),
  );
}

function later(
  name: string,
  attention: Attention<"blocks">,
  centred: boolean,
  pass: Pass,
  options: NormBackwardOptions & Abortable,
): Promise<NormGradients> {
  return checkAttention(name, attention).runAsync(name, () => {
    const { signal, ...read } = readBackwardAsync(name, options);
    const call = checkBackward(name, centred, pass, read);
    return { signal, steps: (engine) => normBackwardSteps(engine, call) };
  });
}

type Name = "input" | "weight" | "bias";

interface NormBackwardCall extends Normalised {
  readonly outputGradient: Tensor;
  readonly sumGradient: Tensor | undefined;
  readonly out: Partial<Record<Name, Tensor | undefined>>;
  readonly added: boolean;
}

export function checkBackward(
  operation: string,
  centred: boolean,
  pass: Pass,
  options: NormBackwardOptions,
): NormBackwardCall {
  const normalised = checkNormalised(operation, centred, pass.x, options);
  const { dims } = normalised.x;
  const outputGradient = checkTensor(operation, "outputGradient", pass.outputGradient);
  checkDimsOf(operation, "outputGradient", outputGradient, dims);
  const given = options.sumGradient;
  const sumGradient = given === undefined ? given : checkTensor(operation, "sumGradient", given);
  if (sumGradient) checkDimsOf(operation, "sumGradient", sumGradient, dims);
  const shape = "{ input?, weight?, bias? }";
  const out = checkAccumulate(operation, options.out, options.accumulate, shape, readOut);
  const target = (name: Name, of: Tensor | undefined) => {
    const argument = `out.${name}`;
    if (of) return checkOut(operation, out[name], of.dims, argument);
    if (out[name] === undefined) return undefined;
    throw new ArgumentError(operation, argument, `no value without a ${name}`, describe(out[name]));
  };
  return {
    ...normalised,
    outputGradient,
    sumGradient,
    out: {
      input: target("input", normalised.x),
      weight: target("weight", normalised.weight),
      bias: target("bias", normalised.bias),
    },
    added: options.accumulate === true,
  };
}

export function* normBackwardSteps(engine: Engine, call: NormBackwardCall): Steps<NormGradients> {
  const { operation, centred, x, rows, columns, eps, weight, bias, sumGradient, added } = call;
  const [inputGradient, ...others] = yield* blockSteps(engine, {
    operation,
    kernel: BlocksKernel.normBackward,
    rows,
    columns,
    cost: 8,
    words: [
      [NormFrame.centred, centred ? 1 : 0],
      [NormFrame.summed, weight || bias ? 1 : 0],
    ],
    floats: [[NormFrame.epsilon, eps]],
    scratch: true,
    stage(staging) {
      const target = (slot: number, name: Name, { dims }: Tensor) =>
        staging.output(slot, dims, call.out[name], `out.${name}`, added);
      staging.tensor(NormFrame.input, "x", x);
      staging.tensor(NormFrame.outputGradient, "outputGradient", call.outputGradient);
      if (weight) staging.tensor(NormFrame.weight, "weight", weight);
      if (sumGradient) staging.tensor(NormFrame.sumGradient, "sumGradient", sumGradient);
      const outputs = [target(NormFrame.result, "input", x)];
      if (weight) outputs.push(target(NormFrame.weightGradient, "weight", weight));
      if (bias) outputs.push(target(NormFrame.biasGradient, "bias", bias));
      return outputs;
    },
  });
  const weightGradient = weight && others.shift();
  const [biasGradient] = others;
  return {
    inputGradient: inputGradient as Tensor,
    ...(weightGradient && { weightGradient }),
    ...(biasGradient && { biasGradient }),
  };
}
