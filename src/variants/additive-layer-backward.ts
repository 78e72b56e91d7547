// Gradients of AdditiveAttention: back through the scores, then through each projection. With v̂ = g·v/‖v‖:
//
//   dg = dv̂·v/‖v‖     dv = g/‖v‖·(dv̂ − (dv̂·v)·v/‖v‖²)

import type { Abortable } from "../attend/options";
import { reader } from "../check/names";
import type { Engine } from "../instance/instance";
import { moduleOf } from "../instance/modules";
import { lastingOf } from "../run/lasting";
import type { Steps } from "../run/steps";
import type { AllocatedTensor } from "../tensor/allocated";
import { add, type Tensor } from "../tensor/tensor";
import type { LinearGradients } from "../training/linear";
import { linearGradients } from "../training/linear";
import {
  AdditiveAttention,
  type AdditiveInputs,
  type AdditiveLayerOptions,
  checkLayerCall,
  layerFields,
} from "./additive-layer";
import { type AdditiveParts, normOf } from "./layer-weights";
import type { AdditiveGradients } from "./strip-gradients";
import { checkPass, stripBackwardSteps } from "./strip-pass";

/** What `forward` was given, and the gradients of what it gave. */
export interface AdditiveLayerPass extends AdditiveInputs {
  /** In the dims of the output. */
  readonly outputGradient: Tensor;
  /** Of the weights [B, 1, L, S], where they went into a loss. */
  readonly weightsGradient?: Tensor | undefined;
}

/** Options of `additiveLayerBackward`: those of the forward pass but softcap and scoreMod. */
export type AdditiveLayerBackwardOptions = Omit<
  AdditiveLayerOptions,
  "out" | "softcap" | "scoreMod"
>;

/** Of a projection. */
export interface ProjectionGradient {
  /** In the dims and the order of the weight. */
  weight: Tensor;
  /** [D], where there is a bias. */
  bias?: Tensor;
}

/** What `additiveLayerBackward` returns. */
export interface AdditiveLayerGradients {
  /** In the dims of the query. */
  queryGradient: Tensor;
  /** In the dims of the key; that of the values too, where the key was the value. */
  keyGradient: Tensor;
  /** In the dims of the value, where it was given. */
  valueGradient?: Tensor;
  /** Of the weights, by their names. */
  weights: {
    /** Of W. */
    query: ProjectionGradient;
    /** Of U. */
    key: ProjectionGradient;
    /** [D] */
    scoreWeight: Tensor;
    /** [D], where there is a b. */
    scoreBias?: Tensor;
    /** Of g, where there is one. */
    scoreScale?: number;
  };
}

const { softcap: _, scoreMod: __, out: ___, ...fields } = layerFields;
const read = reader<AdditiveLayerBackwardOptions>(fields);
const readAsync = reader<AdditiveLayerBackwardOptions & Abortable>({ ...fields, signal: 1 });
const readPass = reader<AdditiveLayerPass>(
  { query: 1, key: 1, value: 1, outputGradient: 1, weightsGradient: 1 },
  "{ query, key, value?, outputGradient, weightsGradient? }",
);

/**
 * Gradients of `AdditiveAttention`'s inputs and of every weight. The engine needs the extension `training` too.
 *
 * @throws ArgumentError, MemoryError, DisposedError as `forward`.
 */
export function additiveLayerBackward(
  layer: AdditiveAttention,
  pass: AdditiveLayerPass,
  options: AdditiveLayerBackwardOptions = {},
): AdditiveLayerGradients {
  const name = "additiveLayerBackward";
  const parts = AdditiveAttention.partsOf(name, layer);
  return parts.attention.run(name, (engine) =>
    steps(engine, checkBackward(name, parts, pass, read(name, options))),
  );
}

/** `additiveLayerBackward` without holding the calling thread; see `attendAsync`. */
export function additiveLayerBackwardAsync(
  layer: AdditiveAttention,
  pass: AdditiveLayerPass,
  options: AdditiveLayerBackwardOptions & Abortable = {},
): Promise<AdditiveLayerGradients> {
  const name = "additiveLayerBackwardAsync";
  const parts = AdditiveAttention.partsOf(name, layer);
  return parts.attention.runAsync(name, () => {
    const { signal, ...given } = readAsync(name, options);
    const call = checkBackward(name, parts, pass, given);
    return { signal, steps: (engine) => steps(engine, call) };
  });
}

type Backward = Omit<ReturnType<typeof checkBackward>, "strip">;

function checkBackward(
  operation: string,
  parts: AdditiveParts,
  given: AdditiveLayerPass,
  options: AdditiveLayerBackwardOptions,
) {
  const { outputGradient, weightsGradient, ...inputs } = readPass(operation, given, "pass");
  // logSumExp may stand as it did, and changes nothing.
  const call = checkLayerCall(operation, parts, inputs, { ...options, logSumExp: undefined });
  const gradients = { outputGradient, weightsGradient };
  return { ...call, backward: checkPass(call.strip, gradients, {}) };
}

function* steps(engine: Engine, call: Backward): Steps<AdditiveLayerGradients> {
  const given = lastingOf(engine, call.given, "query", "key", "value");
  const backward = lastingOf(engine, call.backward, "outputGradient", "weightsGradient");
  moduleOf(engine, call.operation, "training");
  const placed = { ...call, given, backward };
  const { valueGradient, ...gradients } = yield* layerGradients(engine, placed);
  if (!given.own) add(gradients.keyGradient.data, valueGradient.data);
  return { ...gradients, ...(given.own && { valueGradient }) };
}

/** Through the scores and each projection, of inputs that last; that of the values apart. */
export function* layerGradients(
  engine: Engine,
  { operation, parts, given, backward }: Backward,
): Steps<AdditiveLayerGradients & { valueGradient: Tensor }> {
  const temporaries: AllocatedTensor[] = [];
  try {
    for (const name of ["query", "key"] as const)
      temporaries.push(yield* parts.project(engine, operation, name, given[name]));
    const [query, key] = temporaries as [AllocatedTensor, AllocatedTensor];
    const { strip } = backward;
    const inputs = { query, key, value: given.value };
    const placed = { ...backward, strip: { ...strip, call: { ...strip.call, inputs } } };
    const scored = (yield* stripBackwardSteps(engine, placed)) as AdditiveGradients;
    const projections = parts.inUse(operation);
    const back = (name: "query" | "key", outputGradient: Tensor) => {
      const pass = { outputGradient, x: given[name], weight: projections[name] };
      return linearGradients(engine, operation, pass, {});
    };
    const ofQuery = yield* back("query", scored.queryGradient);
    const ofKey = yield* back("key", scored.keyGradient);
    return {
      queryGradient: ofQuery.inputGradient as Tensor,
      keyGradient: ofKey.inputGradient as Tensor,
      valueGradient: scored.valueGradient,
      weights: {
        query: projectionGradient(ofQuery),
        key: projectionGradient(ofKey),
        ...vectorGradients(parts, scored),
      },
    };
  } finally {
    for (const temporary of temporaries) temporary.dispose();
  }
}

export function projectionGradient({
  weightGradient,
  biasGradient,
}: LinearGradients): ProjectionGradient {
  return { weight: weightGradient, ...(biasGradient && { bias: biasGradient }) };
}

/** Of v, b and g. */
export function vectorGradients(
  { vectors }: AdditiveParts,
  {
    scoreWeightGradient,
    scoreBiasGradient,
  }: Pick<AdditiveGradients, "scoreWeightGradient" | "scoreBiasGradient">,
) {
  const { given, scoreBias, scoreScale } = vectors;
  const bias = scoreBias && { scoreBias: scoreBiasGradient };
  if (scoreScale === undefined) return { scoreWeight: scoreWeightGradient, ...bias };
  const norm = normOf(given);
  const { data, dims } = scoreWeightGradient;
  const along = given.reduce((sum, v, d) => sum + v * (data[d] as number), 0) / norm;
  const own = data.map(
    (gradient, d) => (scoreScale / norm) * (gradient - (along * (given[d] as number)) / norm),
  );
  return { scoreWeight: { data: own, dims }, ...bias, scoreScale: along };
}
