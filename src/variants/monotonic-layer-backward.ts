// Gradients of MonotonicAttention: back through the sum of the values, the alignment, the scores and each projection.

import type { Abortable } from "../attend/options";
import { reader } from "../check/names";
import type { Engine } from "../instance/instance";
import { moduleOf } from "../instance/modules";
import { lasting, lastingOf } from "../run/lasting";
import type { Steps } from "../run/steps";
import { elementsOf } from "../tensor/dims";
import { add, checkDimsOf, checkTensor, type Tensor } from "../tensor/tensor";
import { type AdditiveInputs, checkAdditiveInputs } from "./additive-layer";
import { type AdditiveLayerGradients, layerGradients } from "./additive-layer-backward";
import type { AdditiveParts } from "./layer-weights";
import { checkMonotonicBackward, monotonicGradients } from "./monotonic";
import { MonotonicAttention, type MonotonicLayerOptions, scoresCall } from "./monotonic-layer";
import { checkPass } from "./strip-pass";
import { checkGradient, checkSizes, weightedSumGradients } from "./weighted-sum";

/** What `forward` was given and gave, and the gradients of that. */
export interface MonotonicLayerPass extends AdditiveInputs {
  /** [B, L, S], as `forward` gave them, or with noise. */
  readonly energies: Tensor;
  /** [B, L, S], which these energies made. */
  readonly alignment: Tensor;
  /** In the dims of the output. */
  readonly outputGradient: Tensor;
  /** In the dims of the alignment, where it went into a loss, or into the next step as `previous`. */
  readonly alignmentGradient?: Tensor | undefined;
}

/** Options of `monotonicLayerBackward`: those of the forward pass. */
export type MonotonicLayerBackwardOptions = MonotonicLayerOptions;

/** What `monotonicLayerBackward` returns. */
export interface MonotonicLayerGradients extends Omit<AdditiveLayerGradients, "weights"> {
  /** In the dims of `previous`, where it was given. */
  previousGradient?: Tensor;
  /** Of the weights, by their names. */
  weights: AdditiveLayerGradients["weights"] & {
    /** Of r. */
    scoreOffset: number;
  };
}

const fields = { mode: 1, previous: 1, keyLengths: 1 } as const;
const read = reader<MonotonicLayerBackwardOptions>(fields);
const readAsync = reader<MonotonicLayerBackwardOptions & Abortable>({ ...fields, signal: 1 });
const readPass = reader<MonotonicLayerPass>(
  {
    ...{ query: 1, key: 1, value: 1, energies: 1, alignment: 1 },
    ...{ outputGradient: 1, alignmentGradient: 1 },
  },
  "{ query, key, value?, energies, alignment, outputGradient, alignmentGradient? }",
);

/**
 * Gradients of `MonotonicAttention`'s inputs and of every weight. The engine needs the extension `training` too.
 *
 * @throws ArgumentError, MemoryError, DisposedError as `forward`; for the mode "hard", which has none.
 */
export function monotonicLayerBackward(
  layer: MonotonicAttention,
  pass: MonotonicLayerPass,
  options: MonotonicLayerBackwardOptions = {},
): MonotonicLayerGradients {
  const name = "monotonicLayerBackward";
  const parts = MonotonicAttention.partsOf(name, layer);
  return parts.attention.run(name, (engine) =>
    steps(engine, checkBackward(name, parts, pass, read(name, options))),
  );
}

/** `monotonicLayerBackward` without holding the calling thread; see `attendAsync`. */
export function monotonicLayerBackwardAsync(
  layer: MonotonicAttention,
  pass: MonotonicLayerPass,
  options: MonotonicLayerBackwardOptions & Abortable = {},
): Promise<MonotonicLayerGradients> {
  const name = "monotonicLayerBackwardAsync";
  const parts = MonotonicAttention.partsOf(name, layer);
  return parts.attention.runAsync(name, () => {
    const { signal, ...given } = readAsync(name, options);
    const call = checkBackward(name, parts, pass, given);
    return { signal, steps: (engine) => steps(engine, call) };
  });
}

type Backward = ReturnType<typeof checkBackward>;

function checkBackward(
  operation: string,
  parts: AdditiveParts,
  given: MonotonicLayerPass,
  options: MonotonicLayerBackwardOptions,
) {
  const pass = readPass(operation, given, "pass");
  const { query, key, value } = pass;
  const inputs = checkAdditiveInputs(operation, parts, { query, key, value });
  const scores = scoresCall(operation, parts, inputs, {});
  const like = (name: "energies" | "alignmentGradient", dims: readonly number[]) => {
    const tensor = checkTensor(operation, name, pass[name]);
    checkDimsOf(operation, name, tensor, dims);
    return tensor;
  };
  const energies = like("energies", scores.dims);
  // The gradient is not there yet where it comes of the output alone, only its size is known.
  const aligned = checkMonotonicBackward(
    operation,
    { probabilities: energies, alignment: pass.alignment, alignmentGradient: energies },
    { ...options, logits: true },
  );
  const sum = checkSizes(operation, aligned.alignment, inputs.value);
  return {
    ...{ operation, parts, given: inputs, scores, aligned, sum },
    outputGradient: checkGradient(operation, pass.outputGradient, sum),
    alignmentGradient:
      pass.alignmentGradient === undefined
        ? undefined
        : like("alignmentGradient", aligned.alignment.dims),
  };
}

function* steps(engine: Engine, call: Backward): Steps<MonotonicLayerGradients> {
  const { operation, parts, scores } = call;
  const given = lastingOf(engine, call.given, "query", "key", "value");
  const aligned = lastingOf(engine, call.aligned, "probabilities", "alignment", "previous");
  const { outputGradient } = lastingOf(engine, call, "outputGradient");
  const ofAlignment = call.alignmentGradient && lasting(engine, call.alignmentGradient);
  moduleOf(engine, operation, "training");
  const sum = { ...call.sum, given: aligned.alignment, values: given.value };
  const { weightsGradient, valueGradient } = yield* weightedSumGradients(
    engine,
    sum,
    outputGradient,
  );
  if (ofAlignment) add(weightsGradient.data, ofAlignment.data);
  const { probabilitiesGradient, previousGradient } = yield* monotonicGradients(engine, {
    ...aligned,
    alignmentGradient: weightsGradient,
  });
  const { value, strip } = scores;
  const { outputDims, logSumExpDims, keys } = strip.call.shapes;
  const scored = {
    outputGradient: { data: new Float32Array(elementsOf(outputDims)), dims: outputDims },
    weightsGradient: { data: probabilitiesGradient.data, dims: [...logSumExpDims, keys] },
  };
  const backward = { ...checkPass(strip, scored, {}), scored: true };
  const placed = { operation, parts, given: { ...given, value }, backward };
  const { valueGradient: _, weights, ...gradients } = yield* layerGradients(engine, placed);
  if (!given.own) add(gradients.keyGradient.data, valueGradient.data);
  let scoreOffset = 0;
  for (const g of probabilitiesGradient.data) scoreOffset += g;
  return {
    ...gradients,
    ...(given.own && { valueGradient }),
    ...(previousGradient && { previousGradient }),
    weights: { ...weights, scoreOffset },
  };
}
