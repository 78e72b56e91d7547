// Gradients of sparseAttend, additiveAttention and spanAttend: see assembly/variants/strip-backward.ts.

import { VariantsKernel } from "../../assembly/kinds";
import { VariantAttendFrame as Frame } from "../../build/frames";
import { type Attention, checkAttention } from "../attend/attention";
import { stageCall, writeCall } from "../attend/call";
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

const targets = { out: 1, accumulate: 1 } as const;
const { softcap: _, scoreMod: __, ...sparse } = sparseFields;
const { softcap: ___, scoreMod: ____, ...additive } = additiveFields;
const readSparse = reader<SparseBackwardOptions>({ ...sparse, ...targets });
const readSparseAsync = reader<SparseBackwardOptions & Abortable>({
  ...sparse,
  ...targets,
  signal: 1,
});
const readAdditive = reader<AdditiveBackwardOptions>({ ...additive, ...targets });
const readAdditiveAsync = reader<AdditiveBackwardOptions & Abortable>({
  ...additive,
  ...targets,
  signal: 1,
});
const { softcap: _____, scoreMod: ______, ...span } = spanFields;
const readSpan = reader<SpanBackwardOptions>({ ...span, ...targets });
const readSpanAsync = reader<SpanBackwardOptions & Abortable>({ ...span, ...targets, signal: 1 });
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
    stripBackwardSteps(engine, checkSparse(name, pass, readSparse(name, options))),
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
    return { signal, steps: (engine) => stripBackwardSteps(engine, call) };
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
    stripBackwardSteps(engine, checkAdditivePass(name, pass, readAdditive(name, options))),
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
    return { signal, steps: (engine) => stripBackwardSteps(engine, call) };
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
    stripBackwardSteps(engine, checkSpanPass(name, pass, readSpan(name, options))),
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
    return { signal, steps: (engine) => stripBackwardSteps(engine, call) };
  }) as Promise<SpanGradients>;
}

export interface BackwardCall {
  readonly strip: StripCall;
  readonly outputGradient: Tensor;
  readonly weightsGradient: Tensor | undefined;
  readonly out: { readonly [Name in "query" | "key" | "value"]: Tensor | undefined };
  readonly added: boolean;
}

function checkSparse(
  operation: string,
  given: VariantPass,
  { out, accumulate, ...options }: SparseBackwardOptions,
): BackwardCall {
  const pass = readPass(operation, given, "pass");
  const strip = checkCall(operation, [pass.query, pass.key, pass.value], options);
  return checkPass(strip, pass, { out, accumulate });
}

export function checkAdditivePass(
  operation: string,
  given: VariantPass,
  { out, accumulate, ...options }: AdditiveBackwardOptions,
): BackwardCall {
  const pass = readPass(operation, given, "pass");
  // logSumExp may stand as it did, and changes nothing.
  const forward = { ...options, logSumExp: undefined };
  const strip = checkAdditiveCall(operation, [pass.query, pass.key, pass.value], forward);
  return checkPass(strip, pass, { out, accumulate });
}

function checkSpanPass(
  operation: string,
  given: VariantPass,
  { out, accumulate, ...options }: SpanBackwardOptions,
): BackwardCall {
  const pass = readPass(operation, given, "pass");
  const strip = checkSpan(operation, [pass.query, pass.key, pass.value], options);
  return checkPass(strip, pass, { out, accumulate });
}

export function checkPass(
  strip: StripCall,
  pass: Pick<VariantPass, "outputGradient" | "weightsGradient">,
  { out, accumulate }: VariantTargets,
): BackwardCall {
  const { operation, shapes, inputs } = strip.call;
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
  };
}

export function* stripBackwardSteps(
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
  const threads = threadsFor(engine, batch * heads * queries * keys * (each + 2 * valueSize));
  words[Frame.threads] = threads;
  words[Frame.backward] = 1;
  const staging = new Staging(engine, operation, engine.concurrent || threads > 1);
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
    yield staging.work({ module: number, kernel, items, threads });
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
