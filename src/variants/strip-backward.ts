// Gradients of sparseAttend, additiveAttention and spanAttend: see assembly/variants/strip-backward.ts.

import { VariantsKernel } from "../../assembly/kinds";
import { VariantAttendFrame as Frame } from "../../build/frames";
import { type Attention, checkAttention } from "../attend/attention";
import { stageCall, writeCall } from "../attend/call";
import { aroundOf } from "../attend/forward";
import type { Abortable } from "../attend/options";
import { reader } from "../check/names";
import { checkAccumulate } from "../check/values";
import { ArgumentError, describe } from "../errors";
import type { Engine } from "../instance/instance";
import { type Module, moduleOf } from "../instance/modules";
import { type Output, Staging } from "../run/staging";
import { type Steps, threadsFor } from "../run/steps";
import { checkDimsOf, checkOut, checkTensor, type Tensor } from "../tensor/tensor";
import { additiveFields, checkAdditiveCall } from "./additive";
import { checkSpan, spanFields } from "./span";
import { checkCall, sparseFields } from "./sparse-attend";
import { type StripCall, stageBesides } from "./strip";
import { checkModified, type Modifications, modifyOf } from "../training/modified";
import type { GradientOptions, ResultGradients } from "../training/options";
import type {
  AdditiveBackwardOptions,
  AdditiveGradients,
  SpanBackwardOptions,
  SpanGradients,
  SparseBackwardOptions,
  SparseGradients,
  VariantPass,
  VariantTargets,
} from "./strip-gradients";

const targets = { out: 1, accumulate: 1, scoreModGradient: 1, weightModGradient: 1 } as const;
const sparse = { ...sparseFields, ...targets } as const;
const additive = { ...additiveFields, ...targets } as const;
const span = { ...spanFields, ...targets } as const;
const readSparse = reader<SparseBackwardOptions>(sparse);
const readSparseAsync = reader<SparseBackwardOptions & Abortable>({ ...sparse, signal: 1 });
const readAdditive = reader<AdditiveBackwardOptions>(additive);
const readAdditiveAsync = reader<AdditiveBackwardOptions & Abortable>({ ...additive, signal: 1 });
const readSpan = reader<SpanBackwardOptions>(span);
const readSpanAsync = reader<SpanBackwardOptions & Abortable>({ ...span, signal: 1 });
const readOut = reader<NonNullable<VariantTargets["out"]>>({ query: 1, key: 1, value: 1 });
const readPass = reader<VariantPass>(
  { query: 1, key: 1, value: 1, outputGradient: 1, weightsGradient: 1 },
  "{ query, key, value, outputGradient, weightsGradient? }",
);

/**
 * Gradients of `sparseAttend`: of query, key, value and of each head's α, and through returned weights where their
 * gradient is given. Scores are made anew by tiles of rows, so that memory grows with L + S.
 *
 * @throws ArgumentError, MemoryError, DisposedError as `attend`.
 */
export function sparseAttendBackward(
  attention: Attention<"variants">,
  pass: VariantPass,
  options: SparseBackwardOptions = {},
): SparseGradients {
  const name = "sparseAttendBackward";
  return checkAttention(name, attention).run(name, (engine) =>
    steps(engine, checkSparse(name, pass, readSparse(name, options))),
  ) as SparseGradients;
}

/** `sparseAttendBackward` without holding the calling thread; see `attendAsync`. */
export function sparseAttendBackwardAsync(
  attention: Attention<"variants">,
  pass: VariantPass,
  options: SparseBackwardOptions & Abortable = {},
): Promise<SparseGradients> {
  const name = "sparseAttendBackwardAsync";
  return checkAttention(name, attention).runAsync(name, () => {
    const { signal, ...given } = readSparseAsync(name, options);
    const call = checkSparse(name, pass, given);
    return { signal, steps: (engine) => steps(engine, call) };
  }) as Promise<SparseGradients>;
}

/**
 * Gradients of `additiveAttention`: of query, key, value, v and b, and through returned weights (a loss on an
 * alignment, a pointer network) where their gradient is given.
 *
 * @throws ArgumentError, MemoryError, DisposedError as `attend`.
 */
export function additiveAttentionBackward(
  attention: Attention<"variants">,
  pass: VariantPass,
  options: AdditiveBackwardOptions = {},
): AdditiveGradients {
  const name = "additiveAttentionBackward";
  return checkAttention(name, attention).run(name, (engine) =>
    steps(engine, checkAdditivePass(name, pass, readAdditive(name, options))),
  ) as AdditiveGradients;
}

/** `additiveAttentionBackward` without holding the calling thread; see `attendAsync`. */
export function additiveAttentionBackwardAsync(
  attention: Attention<"variants">,
  pass: VariantPass,
  options: AdditiveBackwardOptions & Abortable = {},
): Promise<AdditiveGradients> {
  const name = "additiveAttentionBackwardAsync";
  return checkAttention(name, attention).runAsync(name, () => {
    const { signal, ...given } = readAdditiveAsync(name, options);
    const call = checkAdditivePass(name, pass, given);
    return { signal, steps: (engine) => steps(engine, call) };
  }) as Promise<AdditiveGradients>;
}

/**
 * Gradients of `spanAttend`: of query, key and value, and of each head's span.
 *
 * @throws ArgumentError, MemoryError, DisposedError as `attend`.
 */
export function spanAttendBackward(
  attention: Attention<"variants">,
  pass: VariantPass,
  options: SpanBackwardOptions,
): SpanGradients {
  const name = "spanAttendBackward";
  return checkAttention(name, attention).run(name, (engine) =>
    steps(engine, checkSpanPass(name, pass, readSpan(name, options))),
  ) as SpanGradients;
}

/** `spanAttendBackward` without holding the calling thread; see `attendAsync`. */
export function spanAttendBackwardAsync(
  attention: Attention<"variants">,
  pass: VariantPass,
  options: SpanBackwardOptions & Abortable,
): Promise<SpanGradients> {
  const name = "spanAttendBackwardAsync";
  return checkAttention(name, attention).runAsync(name, () => {
    const { signal, ...given } = readSpanAsync(name, options);
    const call = checkSpanPass(name, pass, given);
    return { signal, steps: (engine) => steps(engine, call) };
  }) as Promise<SpanGradients>;
}

interface BackwardCall {
  readonly strip: StripCall;
  readonly outputGradient: Tensor;
  readonly weightsGradient: Tensor | undefined;
  readonly out: { readonly [Name in "query" | "key" | "value"]: Tensor | undefined };
  readonly added: boolean;
  readonly modifications: Modifications;
}

function checkSparse(
  operation: string,
  given: VariantPass,
  options: SparseBackwardOptions,
): BackwardCall {
  const pass = readPass(operation, given, "pass");
  const forward = forwardOf(options);
  const strip = checkCall(operation, [pass.query, pass.key, pass.value], forward);
  return checkPass(strip, pass, options);
}

/** The options of the forward pass. */
function forwardOf<Options extends VariantTargets>(options: Options) {
  const { out: _, accumulate: __, scoreModGradient: ___, weightModGradient: ____, ...forward } = options;
  return forward;
}

function checkAdditivePass(
  operation: string,
  given: VariantPass,
  options: AdditiveBackwardOptions,
): BackwardCall {
  const pass = readPass(operation, given, "pass");
  // logSumExp may stand as it did, and changes nothing.
  const forward = { ...forwardOf(options), logSumExp: undefined };
  const strip = checkAdditiveCall(operation, [pass.query, pass.key, pass.value], forward);
  return checkPass(strip, pass, options);
}

function checkSpanPass(
  operation: string,
  given: VariantPass,
  options: SpanBackwardOptions,
): BackwardCall {
  const pass = readPass(operation, given, "pass");
  const strip = checkSpan(operation, [pass.query, pass.key, pass.value], forwardOf(options));
  return checkPass(strip, pass, options);
}

function checkPass(
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
  };
}

/** Gradients of an attend with a normalizer. */
export function* stripBackwardOf(
  engine: Engine,
  strip: StripCall,
  pass: Pick<VariantPass, "outputGradient"> & ResultGradients,
  options: GradientOptions & Pick<VariantTargets, "weightModGradient">,
): Steps<SparseGradients> {
  const { operation } = strip.call;
  if (Object.values(options.gradients ?? {}).some(Boolean)) {
    const expected = "no value with a normalizer: of query, key, value and alpha alone";
    throw new ArgumentError(operation, "gradients", expected, describe(options.gradients));
  }
  if (pass.logSumExpGradient !== undefined) {
    const expected = "no value with a normalizer, which has no logSumExp";
    throw new ArgumentError(operation, "logSumExpGradient", expected, "one");
  }
  return (yield* steps(engine, checkPass(strip, pass, options))) as SparseGradients;
}

function* steps(
  engine: Engine,
  backward: BackwardCall,
): Steps<SparseGradients | AdditiveGradients | SpanGradients> {
  const { strip, added } = backward;
  const { call, besides } = strip;
  const { operation, inputs, shapes, checked } = call;
  const { batch, heads, queries, keys, headSize, valueSize } = shapes;
  const number = moduleOf(engine, operation, "variants");
  const module = engine.modules[number] as Module;
  const words = writeCall(engine, shapes, checked);
  const each = besides.additive ? 12 * headSize : 3 * headSize;
  const modify = modifyOf(backward.modifications);
  const cost = batch * heads * queries * keys * (each + 2 * valueSize);
  // JavaScript belongs to the calling thread, and may throw half-way.
  const threads = modify ? 1 : threadsFor(engine, cost);
  words[Frame.threads] = threads;
  words[Frame.backward] = 1;
  words[Frame.modified] = backward.modifications.scoreMod ? 1 : 0;
  const deferred = engine.concurrent || threads > 1 || modify !== undefined;
  const staging = new Staging(engine, operation, deferred);
  stageCall(staging, inputs, checked);
  stageBesides(engine, staging, besides);
  staging.tensor(Frame.outputGradient, "outputGradient", backward.outputGradient);
  if (backward.weightsGradient)
    staging.tensor(Frame.weightsGradient, "weightsGradient", backward.weightsGradient);
  const target = (name: keyof typeof inputs, slot: Frame) =>
    staging.output(slot, inputs[name].dims, backward.out[name], `out.${name}`, added);
  const outputs: Output[] = [
    target("query", Frame.queryGradient),
    target("key", Frame.keyGradient),
    target("value", Frame.valueGradient),
  ];
  const perHead = (slot: Frame, dims: readonly number[]) => {
    outputs.push(staging.output(slot, dims, undefined));
    return outputs.length - 1;
  };
  const { additive, alphas, spans } = besides;
  const weightAt = additive && perHead(Frame.scoreWeightGradient, [batch, heads, headSize]);
  const biasAt = additive && perHead(Frame.scoreBiasGradient, [batch, heads, headSize]);
  const alphaAt = alphas && perHead(Frame.alphasGradient, [batch, heads]);
  const spanAt = spans && perHead(Frame.spansGradient, [batch, heads]);
  const kernel = VariantsKernel.stripBackward;
  staging.reserve(Frame.scratch, module.scratchBytes(kernel, engine.frame));
  try {
    const frame = yield* staging.beginSteps();
    const items = module.items(kernel, frame);
    const around = modify && aroundOf(engine, modify);
    yield staging.work({ module: number, kernel, items, threads, around });
    const results = yield* staging.results(outputs);
    const [queryGradient, keyGradient, valueGradient] = results as [Tensor, Tensor, Tensor];
    const summed = (at: number, dims: readonly number[]): Tensor => sumsOf(results[at]?.data, dims);
    const own = additive?.perHead ? [heads, headSize] : [headSize];
    return {
      ...{ queryGradient, keyGradient, valueGradient },
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
