// Passes back through what assembly/variants/strip-attend.ts computes: what they are given, checked, and their steps.

import { VariantsKernel } from "../../assembly/kinds";
import { VariantAttendFrame as Frame } from "../../build/frames";
import { stageCall, writeCall } from "../attend/call";
import { aroundOf } from "../attend/forward";
import { reader } from "../check/names";
import { checkAccumulate } from "../check/values";
import { ArgumentError, describe } from "../errors";
import type { Engine } from "../instance/instance";
import { type Module, moduleOf } from "../instance/modules";
import { Staging } from "../run/staging";
import { type Steps, threadsFor } from "../run/steps";
import { checkDimsOf, checkOut, checkTensor, type Tensor } from "../tensor/tensor";
import { biasGradients, checkWanted, clearBiases, inSeries, stageBiases } from "../training/bias";
import { checkModified, type Modifications, modifyOf } from "../training/modified";
import type { GradientOptions, ResultGradients } from "../training/options";
import { stageGradients } from "../training/outputs";
import { type StripCall, stageBesides } from "./strip";
import type {
  AdditiveGradients,
  SpanGradients,
  SparseGradients,
  VariantPass,
  VariantTargets,
} from "./strip-gradients";

const readOut = reader<NonNullable<VariantTargets["out"]>>({ query: 1, key: 1, value: 1 });

/** A pass that can be made. */
export interface BackwardCall {
  readonly strip: StripCall;
  readonly outputGradient: Tensor;
  readonly weightsGradient: Tensor | undefined;
  /** Whether that is the gradient of the scores. */
  readonly scored?: boolean;
  readonly out: { readonly [Name in "query" | "key" | "value"]: Tensor | undefined };
  readonly added: boolean;
  readonly modifications: Modifications;
  /** Besides those of the tensors. */
  readonly wanted: NonNullable<GradientOptions["gradients"]>;
}

export function checkPass(
  strip: StripCall,
  pass: Pick<VariantPass, "outputGradient" | "weightsGradient">,
  { out, accumulate, scoreModGradient, weightModGradient }: VariantTargets,
): BackwardCall {
  const { operation, shapes, inputs } = strip.call;
  const { scoreMod } = strip.call.options;
  const { weightMod } = strip.besides;
  const modifications = { scoreMod, scoreModGradient, weightMod, weightModGradient };
  checkModified(operation, modifications);
  const like = (name: "outputGradient" | "weightsGradient", dims: readonly number[]) => {
    const tensor = checkTensor(operation, name, pass[name]);
    checkDimsOf(operation, name, tensor, dims);
    return tensor;
  };
  const { weights } = strip.call.options;
  if (weights === "mean" && pass.weightsGradient !== undefined) {
    const expected = "true: the gradient is that of each head's";
    throw new ArgumentError(operation, "weights", expected, describe(weights));
  }
  const given = checkAccumulate(operation, out, accumulate, "{ query?, key?, value? }", readOut);
  const target = (name: "query" | "key" | "value") =>
    checkOut(operation, given[name], inputs[name].dims, `out.${name}`);
  return {
    strip,
    outputGradient: like("outputGradient", shapes.outputDims),
    weightsGradient:
      pass.weightsGradient === undefined
        ? undefined
        : like("weightsGradient", [...shapes.logSumExpDims, shapes.keys]),
    out: { query: target("query"), key: target("key"), value: target("value") },
    added: accumulate === true,
    modifications,
    wanted: {},
  };
}

/** Gradients of an attend with a normalizer. */
export function* stripBackwardOf(
  engine: Engine,
  strip: StripCall,
  pass: Pick<VariantPass, "outputGradient"> & ResultGradients,
  options: GradientOptions & Pick<VariantTargets, "weightModGradient">,
): Steps<SparseGradients> {
  const { operation, checked } = strip.call;
  const wanted = checkWanted(operation, options, checked);
  if (pass.logSumExpGradient !== undefined) {
    const expected = "no value with a normalizer, which has no logSumExp";
    throw new ArgumentError(operation, "logSumExpGradient", expected, "one");
  }
  const backward = { ...checkPass(strip, pass, options), wanted };
  return (yield* stripBackwardSteps(engine, backward)) as SparseGradients;
}

export function* stripBackwardSteps(
  engine: Engine,
  backward: BackwardCall,
): Steps<SparseGradients | AdditiveGradients | SpanGradients> {
  const { strip, added, wanted } = backward;
  const { call, besides } = strip;
  const { operation, inputs, shapes, checked } = call;
  const { batch, heads, queries, keys, headSize, valueSize } = shapes;
  const number = moduleOf(engine, operation, "variants");
  const module = engine.modules[number] as Module;
  const words = writeCall(engine, shapes, checked);
  const each = besides.additive ? 12 * headSize : 3 * headSize;
  const modify = modifyOf(backward.modifications);
  const cost = batch * heads * queries * keys * (each + 2 * valueSize);
  const serial = wanted.mask && inSeries(shapes, checked);
  // JavaScript belongs to the calling thread, and may throw half-way.
  const threads = serial || modify ? 1 : threadsFor(engine, cost);
  words[Frame.threads] = threads;
  words[Frame.backward] = 1;
  words[Frame.scored] = backward.scored ? 1 : 0;
  words[Frame.modified] = backward.modifications.scoreMod ? 1 : 0;
  const deferred = engine.concurrent || threads > 1 || modify !== undefined;
  const staging = new Staging(engine, operation, deferred);
  stageCall(staging, inputs, checked, call.pages);
  stageBesides(engine, staging, besides);
  staging.tensor(Frame.outputGradient, "outputGradient", backward.outputGradient);
  if (backward.weightsGradient)
    staging.tensor(Frame.weightsGradient, "weightsGradient", backward.weightsGradient);
  const slots = [Frame.queryGradient, Frame.keyGradient, Frame.valueGradient] as const;
  const outputs = stageGradients(staging, call, slots, backward.out, added);
  const perHead = (slot: Frame, dims: readonly number[]) => {
    outputs.push(staging.output(slot, dims, undefined));
    return outputs.length - 1;
  };
  const { additive, alphas, spans } = besides;
  const weightAt = additive && perHead(Frame.scoreWeightGradient, [batch, heads, headSize]);
  const biasAt = additive && perHead(Frame.scoreBiasGradient, [batch, heads, headSize]);
  const alphaAt = alphas && perHead(Frame.alphasGradient, [batch, heads]);
  const spanAt = spans && perHead(Frame.spansGradient, [batch, heads]);
  const biases = stageBiases(staging, call, wanted);
  const kernel = VariantsKernel.stripBackward;
  staging.reserve(Frame.scratch, module.scratchBytes(kernel, engine.frame));
  try {
    const frame = yield* staging.beginSteps();
    clearBiases(engine, biases);
    const items = module.items(kernel, frame);
    const around = modify && aroundOf(engine, modify);
    yield staging.work({ module: number, kernel }, items, threads, around);
    const asked = yield* biasGradients(staging, call, biases);
    const results = yield* staging.results(outputs);
    const [queryGradient, keyGradient, valueGradient] = results as [Tensor, Tensor, Tensor];
    const summed = (at: number, dims: readonly number[]): Tensor => sumsOf(results[at]?.data, dims);
    const own = additive?.perHead ? [heads, headSize] : [headSize];
    return {
      ...{ queryGradient, keyGradient, valueGradient, ...asked },
      ...(weightAt && { scoreWeightGradient: summed(weightAt, own) }),
      ...(biasAt && { scoreBiasGradient: summed(biasAt, own) }),
      ...(alphaAt && { alphaGradient: summed(alphaAt, [heads]) }),
      ...(spanAt && { spansGradient: summed(spanAt, [heads]) }),
    } as SparseGradients | AdditiveGradients | SpanGradients;
  } finally {
    staging.release();
  }
}

/** Summed over what comes before these dims. */
function sumsOf(data: Float32Array | undefined, dims: readonly number[]): Tensor {
  const totals = new Float64Array(dims.reduce((a, b) => a * b, 1));
  for (const [index, x] of (data ?? []).entries()) totals[index % totals.length] += x;
  return { data: Float32Array.from(totals), dims: dims.slice() };
}
