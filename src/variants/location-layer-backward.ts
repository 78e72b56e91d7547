// Gradients of a step of LocationSensitiveAttention, those of the scores and of the query's projection; steps go back
// from the last to the first, and sum what they share.

import type { Abortable } from "../attend/options";
import { type Names, reader } from "../check/names";
import { ArgumentError, describe } from "../errors";
import type { Engine } from "../instance/instance";
import { moduleOf } from "../instance/modules";
import { lasting, lastingOf } from "../run/lasting";
import type { Steps } from "../run/steps";
import { add, checkDimsOf, checkTensor, type Tensor } from "../tensor/tensor";
import { linearGradients } from "../training/linear";
import {
  type AdditiveLayerGradients,
  type ProjectionGradient,
  projectionGradient,
  vectorGradients,
} from "./additive-layer-backward";
import type { AdditiveParts } from "./layer-weights";
import { checkState, type LocationState, lastingWhole } from "./location";
import {
  checkLocationBackward,
  type LocationBackwardCall,
  locationGradients,
} from "./location-backward";
import {
  type LocationMemory,
  type LocationParts,
  LocationSensitiveAttention,
  type LocationStepOptions,
  readMemory,
  rowsOf,
  sizedQuery,
  stepFields,
} from "./location-layer";

/** What a step was given, and the gradients of what it gave. */
export interface LocationLayerPass {
  /** As the step was given it, [B, Eq]. */
  readonly query: Tensor;
  /** As the step was given it. */
  readonly memory: LocationMemory;
  /** In the dims of the output. */
  readonly outputGradient: Tensor;
  /** Of the weights [B, S], where they went into a loss. */
  readonly weightsGradient?: Tensor | undefined;
  /** Of the state that the step gave, where it went elsewhere than into the step after. */
  readonly stateGradient?: LocationState | undefined;
  /** What this function gave for the step after, which is gone on from. */
  readonly after?: LocationLayerGradients | undefined;
}

/** Options of `locationLayerBackward`: those of the step. */
export type LocationLayerBackwardOptions = LocationStepOptions;

/** What `locationLayerBackward` returns. */
export interface LocationLayerGradients {
  /** [B, Eq] */
  queryGradient: Tensor;
  /** Of what `memory` gave, summed over this step and those after it: see `locationMemoryBackward`. */
  memoryGradient: LocationMemory;
  /** Of the state that the step was given. */
  stateGradient: LocationState;
  /** Of α [1], where there is one; of this step alone. */
  alphaGradient?: Tensor;
  /** Of the weights by their names, summed over this step and those after it; the key's has `locationMemoryBackward`. */
  weights: Omit<AdditiveLayerGradients["weights"], "key"> & {
    /** Of F, [filters, 2, K]. */
    filters: Tensor;
    /** [filters, D] */
    locationWeight: Tensor;
  };
}

const read = reader<LocationLayerBackwardOptions>(stepFields);
const readAsync = reader<LocationLayerBackwardOptions & Abortable>({ ...stepFields, signal: 1 });
const readPass = reader<LocationLayerPass>(
  { query: 1, memory: 1, outputGradient: 1, weightsGradient: 1, stateGradient: 1, after: 1 },
  "{ query, memory, outputGradient, weightsGradient?, stateGradient?, after? }",
);
const gradientFields: Names<LocationLayerGradients> = {
  ...{ queryGradient: 1, memoryGradient: 1, stateGradient: 1, alphaGradient: 1, weights: 1 },
};
const readAfter = reader<LocationLayerGradients>(gradientFields, "what the step after gave");
const weightNames: Names<LocationLayerGradients["weights"]> = {
  ...{ query: 1, scoreWeight: 1, scoreBias: 1, scoreScale: 1, filters: 1, locationWeight: 1 },
};
const readWeights = reader<LocationLayerGradients["weights"]>(weightNames);
const readProjection = reader<ProjectionGradient>({ weight: 1, bias: 1 });

/**
 * Gradients of one step of `LocationSensitiveAttention`: of its query, of every weight that it used and of the state
 * that it was given. Steps go back from the last to the first, each with what the one before gave as `after`;
 * `locationMemoryBackward` ends them. The engine needs the extension `training` too.
 *
 * @throws ArgumentError, MemoryError, DisposedError as `step`.
 */
export function locationLayerBackward(
  layer: LocationSensitiveAttention,
  pass: LocationLayerPass,
  options: LocationLayerBackwardOptions = {},
): LocationLayerGradients {
  const name = "locationLayerBackward";
  const whole = LocationSensitiveAttention.partsOf(name, layer);
  return whole.parts.attention.run(name, (engine) =>
    steps(engine, checkBackward(name, whole, pass, read(name, options))),
  );
}

/** `locationLayerBackward` without holding the calling thread; see `attendAsync`. */
export function locationLayerBackwardAsync(
  layer: LocationSensitiveAttention,
  pass: LocationLayerPass,
  options: LocationLayerBackwardOptions & Abortable = {},
): Promise<LocationLayerGradients> {
  const name = "locationLayerBackwardAsync";
  const whole = LocationSensitiveAttention.partsOf(name, layer);
  return whole.parts.attention.runAsync(name, () => {
    const { signal, ...given } = readAsync(name, options);
    const call = checkBackward(name, whole, pass, given);
    return { signal, steps: (engine) => steps(engine, call) };
  });
}

type Backward = ReturnType<typeof checkBackward>;

function checkBackward(
  operation: string,
  { parts, location }: LocationParts,
  given: LocationLayerPass,
  options: LocationLayerBackwardOptions,
) {
  const pass = readPass(operation, given, "pass");
  const { weightsGradient, outputGradient } = pass;
  const x = checkTensor(operation, "query", pass.query);
  const { key, value } = readMemory(operation, pass.memory, "memory");
  const query = sizedQuery(operation, parts, x);
  const whole = { ...options, ...parts.scores, ...location };
  const back = (stateGradient: LocationState | undefined) =>
    checkLocationBackward(
      operation,
      { query, key, value, outputGradient, weightsGradient, stateGradient },
      whole,
    );
  // First of what the step was given, whose sizes the rest has to have.
  const { dims } = back(undefined).step.state.previous;
  const own = checkState(operation, pass.stateGradient, dims, "stateGradient");
  if (pass.after === undefined) return { operation, parts, x, sums: undefined, call: back(own) };
  const after = readAfter(operation, pass.after, "after");
  const reaching = checkState(operation, after.stateGradient ?? null, dims, "after.stateGradient");
  const sum = (name: keyof LocationState): Tensor => {
    const data = own[name].data.slice();
    add(data, reaching[name].data);
    return { data, dims };
  };
  const call = back({ previous: sum("previous"), cumulative: sum("cumulative") });
  return { operation, parts, x, sums: checkSums(operation, after, parts, call), call };
}

type Summed = Pick<LocationLayerGradients, "memoryGradient" | "weights">;

/** What is summed over steps, by the names that errors give it. */
function tensorsOf({ memoryGradient, weights }: Summed): Record<string, Tensor | undefined> {
  return {
    "memoryGradient.key": memoryGradient.key,
    "memoryGradient.value": memoryGradient.value,
    "weights.query.weight": weights.query.weight,
    "weights.query.bias": weights.query.bias,
    "weights.scoreWeight": weights.scoreWeight,
    "weights.scoreBias": weights.scoreBias,
    "weights.filters": weights.filters,
    "weights.locationWeight": weights.locationWeight,
  };
}

/** The sums of the steps after. */
function checkSums(
  operation: string,
  after: Summed,
  parts: AdditiveParts,
  { dims }: LocationBackwardCall,
) {
  const memoryGradient = readMemory(operation, after.memoryGradient, "after.memoryGradient");
  const given = readWeights(operation, after.weights, "after.weights");
  const query = readProjection(operation, given.query, "after.weights.query");
  const { weightDims, biasDims } = parts.inUse(operation).query;
  const { scoreBias, scoreScale } = parts.vectors;
  const wanted: Record<string, readonly number[] | undefined> = {
    "memoryGradient.key": dims.key,
    "memoryGradient.value": dims.value,
    "weights.query.weight": weightDims,
    "weights.query.bias": biasDims,
    "weights.scoreWeight": [parts.size],
    "weights.scoreBias": scoreBias && [parts.size],
    "weights.filters": dims.filters,
    "weights.locationWeight": dims.locationWeight,
  };
  const tensors: Record<string, Tensor> = {};
  for (const [name, x] of Object.entries(
    tensorsOf({ memoryGradient, weights: { ...given, query } }),
  )) {
    const own = wanted[name];
    if (!own) continue;
    const tensor = checkTensor(operation, `after.${name}`, x);
    checkDimsOf(operation, `after.${name}`, tensor, own);
    tensors[name] = tensor;
  }
  const scale = given.scoreScale;
  if (scoreScale !== undefined && typeof scale !== "number")
    throw new ArgumentError(operation, "after.weights.scoreScale", "a number", describe(scale));
  return { tensors, scale: scale ?? 0 };
}

function* steps(
  engine: Engine,
  { operation, parts, x, sums, call }: Backward,
): Steps<LocationLayerGradients> {
  const given = lasting(engine, x);
  const step = lastingWhole(engine, call.step);
  const held = lastingOf(engine, { ...call, step }, "outputGradient");
  const after = sums && lastingOf(engine, sums.tensors, ...Object.keys(sums.tensors));
  moduleOf(engine, operation, "training");
  const projected = yield* parts.project(engine, operation, "query", given);
  try {
    const placed = { ...held, step: { ...step, query: rowsOf(projected) } };
    const back = yield* locationGradients(engine, placed);
    const { queryGradient: outputGradient } = back;
    const weight = parts.inUse(operation).query;
    const pass = { outputGradient, x: given, weight };
    const ofQuery = yield* linearGradients(engine, operation, pass, {});
    const vectors = vectorGradients(parts, back);
    const gradients = {
      queryGradient: ofQuery.inputGradient as Tensor,
      memoryGradient: { key: back.keyGradient, value: back.valueGradient },
      stateGradient: back.stateGradient,
      ...(back.alphaGradient && { alphaGradient: back.alphaGradient }),
      weights: {
        query: projectionGradient(ofQuery),
        ...vectors,
        filters: back.filtersGradient,
        locationWeight: back.locationWeightGradient,
      },
    };
    if (!sums || !after) return gradients;
    const own = tensorsOf(gradients);
    for (const [name, { data }] of Object.entries(after)) add((own[name] as Tensor).data, data);
    const { scoreScale } = vectors as { scoreScale?: number };
    if (scoreScale === undefined) return gradients;
    return {
      ...gradients,
      weights: { ...gradients.weights, scoreScale: scoreScale + sums.scale },
    };
  } finally {
    projected.dispose();
  }
}
