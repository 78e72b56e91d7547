// layerNorm and rmsNorm, with a residual added in the same pass.

import { BlocksKernel } from "../../assembly/kinds";
import { NormFrame } from "../../build/frames";
import { type Attention, checkAttention } from "../attend/attention";
import type { Abortable, Exactly } from "../attend/options";
import { reader } from "../check/names";
import { checkBoolean } from "../check/values";
import type { Engine } from "../instance/instance";
import type { Steps } from "../run/steps";
import { elementsOf } from "../tensor/dims";
import { checkDimsOf, checkOut, checkTensor, checkVector, type Tensor } from "../tensor/tensor";
import { checkAxis, checkNumber } from "./axes";
import { blockSteps } from "./module";

/** Options of `rmsNorm`. */
export interface RmsNormOptions {
  /** Factors, as many as the normalised axes have elements; 1 by default. */
  weight?: Float32Array | Tensor | undefined;
  /** What is added at the end, as many; 0 by default. */
  bias?: Float32Array | Tensor | undefined;
  /** Added to the variance, or to the mean square, from 0 on; 1e-5, with `rmsNorm` 1e-6 by default. */
  eps?: number | undefined;
  /** The first of the axes that are normalised together, up to the last; −1 by default. */
  axis?: number | undefined;
  /** In the dims of x: x + residual is normalised, and returned as `sum`. */
  residual?: Tensor | undefined;
  /** Where to write the output: as many elements as x. It may be x. */
  out?: Float32Array | Tensor | undefined;
}

/** Options of `layerNorm`. */
export interface LayerNormOptions extends RmsNormOptions {
  /** Also return `mean` and `inverseDeviation`. */
  statistics?: boolean | undefined;
}

/** What `layerNorm` and `rmsNorm` return, by what was asked for. */
export type NormResult<Options = LayerNormOptions> = {
  /** In the dims of x. */
  output: Tensor;
} & Summed<Options> &
  Measured<Options>;

type Summed<Options> = "residual" extends keyof Options
  ? Options["residual"] extends Tensor
    ? { sum: Tensor }
    : { sum?: Tensor }
  : unknown;

/** In the dims of x, the normalised axes 1: mean and 1/√(variance + eps). */
type Measured<Options> = "statistics" extends keyof Options
  ? Options["statistics"] extends true
    ? { mean: Tensor; inverseDeviation: Tensor }
    : { mean?: Tensor; inverseDeviation?: Tensor }
  : unknown;

export const normFields = { weight: 1, bias: 1, eps: 1, axis: 1 } as const;
const rmsFields = { ...normFields, residual: 1, out: 1 } as const;
const layerFields = { ...rmsFields, statistics: 1 } as const;
const readLayerNorm = reader<LayerNormOptions>(layerFields);
const readLayerNormAsync = reader<LayerNormOptions & Abortable>({ ...layerFields, signal: 1 });
const readRmsNorm = reader<RmsNormOptions>(rmsFields);
const readRmsNormAsync = reader<RmsNormOptions & Abortable>({ ...rmsFields, signal: 1 });

/**
 * (s − mean(s)) / √(variance(s) + eps) · weight + bias over the last axes of s = x + residual (Ba et al.
 * 2016, "Layer Normalization"). x [..., E] → `output` of the same dims; `sum`, the s, where there is a
 * residual.
 *
 * @throws ArgumentError, MemoryError, DisposedError as `attend`.
 */
export function layerNorm<const Options extends LayerNormOptions = Record<never, never>>(
  attention: Attention<"blocks">,
  x: Tensor,
  options?: Exactly<Options, LayerNormOptions>,
): NormResult<Options> {
  const name = "layerNorm";
  return checkAttention(name, attention).run(name, (engine) => {
    const read = readLayerNorm(name, options === undefined ? {} : options);
    return normSteps(engine, checkNorm(name, true, x, read));
  }) as NormResult<Options>;
}

/** `layerNorm` without holding the calling thread; see `attendAsync`. */
export function layerNormAsync<
  const Options extends LayerNormOptions & Abortable = Record<never, never>,
>(
  attention: Attention<"blocks">,
  x: Tensor,
  options?: Exactly<Options, LayerNormOptions & Abortable>,
): Promise<NormResult<Options>> {
  const name = "layerNormAsync";
  return checkAttention(name, attention).runAsync(name, () => {
    const { signal, ...read } = readLayerNormAsync(name, options === undefined ? {} : options);
    const call = checkNorm(name, true, x, read);
    return { signal, steps: (engine) => normSteps(engine, call) };
  }) as Promise<NormResult<Options>>;
}

/**
 * s / √(mean(s²) + eps) · weight + bias over the last axes of s = x + residual (Zhang and Sennrich 2019,
 * "Root Mean Square Layer Normalization"). As `layerNorm`.
 *
 * @throws ArgumentError, MemoryError, DisposedError as `attend`.
 */
export function rmsNorm<const Options extends RmsNormOptions = Record<never, never>>(
  attention: Attention<"blocks">,
  x: Tensor,
  options?: Exactly<Options, RmsNormOptions>,
): NormResult<Options> {
  const name = "rmsNorm";
  return checkAttention(name, attention).run(name, (engine) => {
    const read = readRmsNorm(name, options === undefined ? {} : options);
    return normSteps(engine, checkNorm(name, false, x, read));
  }) as NormResult<Options>;
}

/** `rmsNorm` without holding the calling thread; see `attendAsync`. */
export function rmsNormAsync<
  const Options extends RmsNormOptions & Abortable = Record<never, never>,
>(
  attention: Attention<"blocks">,
  x: Tensor,
  options?: Exactly<Options, RmsNormOptions & Abortable>,
): Promise<NormResult<Options>> {
  const name = "rmsNormAsync";
  return checkAttention(name, attention).runAsync(name, () => {
    const { signal, ...read } = readRmsNormAsync(name, options === undefined ? {} : options);
    const call = checkNorm(name, false, x, read);
    return { signal, steps: (engine) => normSteps(engine, call) };
  }) as Promise<NormResult<Options>>;
}

/** Options that forward and backward pass have in common. */
export type NormForm = Pick<RmsNormOptions, "weight" | "bias" | "eps" | "axis">;

/** What they have in common, checked. */
export interface Normalised {
  readonly operation: string;
  readonly centred: boolean;
  readonly x: Tensor;
  readonly axis: number;
  readonly rows: number;
  readonly columns: number;
  readonly eps: number;
  readonly weight: Tensor | undefined;
  readonly bias: Tensor | undefined;
}

export function checkNormalised(
  operation: string,
  centred: boolean,
  x: unknown,
  { weight, bias, eps = centred ? 1e-5 : 1e-6, axis: given }: NormForm,
): Normalised {
  const input = checkTensor(operation, "x", x);
  const axis = checkAxis(operation, given, input.dims);
  const columns = elementsOf(input.dims.slice(axis));
  return {
    operation,
    centred,
    x: input,
    axis,
    rows: elementsOf(input.dims.slice(0, axis)),
    columns,
    eps: checkNumber(operation, "eps", eps, [0, Infinity]),
    weight: weight === undefined ? weight : checkVector(operation, "weight", weight, columns),
    bias: bias === undefined ? bias : checkVector(operation, "bias", bias, columns),
  };
}

/** A forward pass, checked. */
export interface NormCall extends Normalised {
  readonly residual: Tensor | undefined;
  readonly out: Tensor | undefined;
  /** Where the sum goes. */
  sumOut?: Tensor | undefined;
  readonly statistics: boolean;
}

export function checkNorm(
  operation: string,
  centred: boolean,
  x: unknown,
  options: LayerNormOptions,
): NormCall {
  const { residual: given, statistics = false, out } = options;
  const normalised = checkNormalised(operation, centred, x, options);
  const { dims } = normalised.x;
  const residual = given === undefined ? given : checkTensor(operation, "residual", given);
  if (residual) checkDimsOf(operation, "residual", residual, dims);
  checkBoolean(operation, "statistics", statistics);
  // No spread: it costs more than the norm of a row.
  return Object.assign(normalised, { residual, statistics, out: checkOut(operation, out, dims) });
}

export function* normSteps(engine: Engine, call: NormCall): Steps<NormResult> {
  const { operation, centred, x, axis, rows, columns, eps, residual, statistics } = call;
  const [output, ...others] = yield* blockSteps(engine, {
    operation,
    kernel: BlocksKernel.norm,
    rows,
    columns,
    cost: 4,
    words: [[NormFrame.centred, centred ? 1 : 0]],
    floats: [[NormFrame.epsilon, eps]],
    stage(staging) {
      staging.tensor(NormFrame.input, "x", x);
      if (residual) staging.tensor(NormFrame.residual, "residual", residual);
      if (call.weight) staging.tensor(NormFrame.weight, "weight", call.weight);
      if (call.bias) staging.tensor(NormFrame.bias, "bias", call.bias);
      const outputs = [staging.output(NormFrame.result, x.dims, call.out)];
      if (residual) outputs.push(staging.output(NormFrame.sum, x.dims, call.sumOut, "sum"));
      if (statistics) {
        const measured = x.dims.map((size, index) => (index < axis ? size : 1));
        outputs.push(staging.output(NormFrame.means, measured, undefined));
        outputs.push(staging.output(NormFrame.inverseDeviations, measured, undefined));
      }
      return outputs;
    },
  });
  const result: NormResult = { output: output as Tensor };
  if (residual) result.sum = others.shift() as Tensor;
  if (statistics) [result.mean, result.inverseDeviation] = others as [Tensor, Tensor];
  return result;
}
