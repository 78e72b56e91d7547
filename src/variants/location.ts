// locationSensitiveAttention: additive scores that see where the weights were before, a step at a time.

import { VariantsKernel } from "../../assembly/kinds";
import { LocateFrame as Frame } from "../../build/frames";
import { type Attention, checkAttention } from "../attend/attention";
import { callAttend } from "../attend/forward";
import type { Abortable } from "../attend/options";
import { reader } from "../check/names";
import { ArgumentError, describe } from "../errors";
import type { Engine } from "../instance/instance";
import { lastingOf, lastingVector } from "../run/lasting";
import type { Staging } from "../run/staging";
import type { Steps } from "../run/steps";
import { AllocatedTensor } from "../tensor/allocated";
import { elementsOf } from "../tensor/dims";
import { checkDimsOf, checkTensor, type Tensor } from "../tensor/tensor";
import { checkAdditiveCall } from "./additive";
import { variantSteps, type Word } from "./module";
import { attendCallOf } from "./strip";

/** The weights of the steps so far. */
export interface LocationState {
  /** Of the step before, [B, S]. */
  readonly previous: Tensor;
  /** The sum of all steps, [B, S]. */
  readonly cumulative: Tensor;
}

/** Options of `locationSensitiveAttention`. */
export interface LocationOptions {
  /** F, of the convolution over previous and cumulative weights [filters, 2, K]; same padding. */
  filters: Tensor;
  /** U, from its filters to the size of the keys [filters, D]. */
  locationWeight: Tensor;
  /** w, [D]; 1 by default. */
  scoreWeight?: Float32Array | Tensor | undefined;
  /** b, [D]; 0 by default. */
  scoreBias?: Float32Array | Tensor | undefined;
  /** What the step before gave; weights of 0 by default. */
  state?: LocationState | undefined;
  /** Keys of each batch, from 0 to S; those past them have no weight. */
  keyLengths?: ArrayLike<number> | undefined;
  /** Weights by α-entmax instead of softmax, see `sparseAttend`. */
  alpha?: number | undefined;
}

/** What a step returns. */
export interface LocationResult {
  /** [B, Dv] */
  output: Tensor;
  /** [B, S] */
  weights: Tensor;
  /** For the next step. */
  state: LocationState;
}

export const locationFields = {
  filters: 1,
  locationWeight: 1,
  scoreWeight: 1,
  scoreBias: 1,
  state: 1,
  keyLengths: 1,
  alpha: 1,
} as const;
const read = reader<LocationOptions>(locationFields, "{ filters, locationWeight, … }");
const readAsync = reader<LocationOptions & Abortable>(
  { ...locationFields, signal: 1 },
  "{ filters, locationWeight, … }",
);
const readState = reader<LocationState>({ previous: 1, cumulative: 1 }, "{ previous, cumulative }");

/**
 * One step of location-sensitive attention (Chorowski et al. 2015, "Attention-based models for speech recognition";
 * Tacotron 2, whose sizes are D = 128, 32 filters of 31): softmax over the keys of
 * w·tanh(query + key[j] + U·f[j] + b), f = F ∗ (weights before, their sum). query [B, D] and key [B, S, D] come projected,
 * value [B, S, Dv].
 *
 * @throws ArgumentError, MemoryError, DisposedError as `attend`.
 */
export function locationSensitiveAttention(
  attention: Attention<"variants">,
  query: Tensor,
  key: Tensor,
  value: Tensor,
  options: LocationOptions,
): LocationResult {
  const name = "locationSensitiveAttention";
  return checkAttention(name, attention).run(name, (engine) =>
    locationSteps(engine, checkStep(name, [query, key, value], read(name, options))),
  );
}

/** `locationSensitiveAttention` without holding the calling thread; see `attendAsync`. */
export function locationSensitiveAttentionAsync(
  attention: Attention<"variants">,
  query: Tensor,
  key: Tensor,
  value: Tensor,
  options: LocationOptions & Abortable,
): Promise<LocationResult> {
  const name = "locationSensitiveAttentionAsync";
  return checkAttention(name, attention).runAsync(name, () => {
    const { signal, ...given } = readAsync(name, options);
    const call = checkStep(name, [query, key, value], given);
    return { signal, steps: (engine) => locationSteps(engine, call) };
  });
}

/** A step, checked, for the way there and back. */
export type LocationStep = ReturnType<typeof checkStep>;

export function checkStep(
  operation: string,
  [query, key, value]: readonly [unknown, unknown, unknown],
  options: LocationOptions,
) {
  const checked = (argument: string, given: unknown, dims: readonly (number | string)[]) => {
    const tensor = checkTensor(operation, argument, given);
    const fits =
      tensor.dims.length === dims.length &&
      dims.every((size, axis) => typeof size === "string" || size === tensor.dims[axis]);
    if (fits && tensor.dims.at(-1)) return tensor;
    const expected = `[${dims.join(", ")}]`;
    throw new ArgumentError(operation, `${argument}.dims`, expected, describe(tensor.dims));
  };
  const q = checked("query", query, ["B", "D"]);
  const [batch, size] = q.dims as [number, number];
  const k = checkTensor(operation, "key", key);
  const keys = k.dims[1] as number;
  if (k.dims.length !== 3 || k.dims[0] !== batch || k.dims[2] !== size) {
    const expected = `[${batch}, S, ${size}]`;
    throw new ArgumentError(operation, "key.dims", expected, describe(k.dims));
  }
  const v = checked("value", value, [batch, keys, "Dv"]);
  const filters = checked("filters", options.filters, ["filters", 2, "K"]);
  const [count, , width] = filters.dims as [number, number, number];
  const weight = checked("locationWeight", options.locationWeight, [count, size]);
  const row: Tensor = AllocatedTensor.from(q)?.view(0, [batch, 1, size]) ?? {
    data: q.data,
    dims: [batch, 1, size],
  };
  const given = { scoreWeight: options.scoreWeight, scoreBias: options.scoreBias };
  const seen = { alpha: options.alpha, keyLengths: options.keyLengths };
  const additive = { ...given, ...seen, layout: "BLE", heads: 1, weights: true } as const;
  // Of its sizes and options; the keys come when the features are known.
  checkAdditiveCall(operation, [row, k, v], additive);
  return {
    operation,
    query: row,
    key: k,
    value: v,
    filters,
    weight,
    state: checkState(operation, options.state, [batch, keys], "state"),
    options: additive,
    cost: elementsOf([batch, keys, count]) * (2 * width + size),
    words: [
      [Frame.batch, batch],
      [Frame.keys, keys],
      [Frame.size, size],
      [Frame.filterCount, count],
      [Frame.filterSize, width],
    ] as readonly Word[],
  };
}

/** Zeros where none is given. */
export function checkState(
  operation: string,
  given: unknown,
  dims: readonly number[],
  argument: string,
): LocationState {
  const zeros = () => ({ data: new Float32Array(elementsOf(dims)), dims });
  if (given === undefined) return { previous: zeros(), cumulative: zeros() };
  const state = readState(operation, given as LocationState, argument);
  const like = (name: keyof LocationState) => {
    const each = `${argument}.${name}`;
    const tensor = checkTensor(operation, each, state[name]);
    checkDimsOf(operation, each, tensor, dims);
    return tensor;
  };
  return { previous: like("previous"), cumulative: like("cumulative") };
}

/** Notes what the features come of. */
export function stageFeatures(staging: Staging, { filters, weight, state }: LocationStep): void {
  staging.tensor(Frame.filters, "filters", filters);
  staging.tensor(Frame.weight, "locationWeight", weight);
  staging.tensor(Frame.previous, "state.previous", state.previous);
  staging.tensor(Frame.cumulative, "state.cumulative", state.cumulative);
}

export const LOCATE_SLOTS = { threadsSlot: Frame.threads, scratchSlot: Frame.scratch } as const;

/** The step, with what is read after its first part in places that stay. */
export function lastingStep(engine: Engine, step: LocationStep): LocationStep {
  const { scoreWeight, scoreBias } = step.options;
  return {
    ...lastingOf(engine, step, "query", "value", "filters", "weight"),
    options: {
      ...step.options,
      scoreWeight: lastingVector(engine, scoreWeight),
      scoreBias: lastingVector(engine, scoreBias),
    },
  };
}

/** The step with all it is given in places that stay. */
export function lastingWhole(engine: Engine, step: LocationStep): LocationStep {
  const state = lastingOf(engine, step.state, "previous", "cumulative");
  return { ...lastingOf(engine, lastingStep(engine, step), "key"), state };
}

/** The keys, and at each the features of the weights before. */
export function* locatedKeys(engine: Engine, step: LocationStep): Steps<Tensor> {
  const { operation, key } = step;
  const [located] = yield* variantSteps(engine, {
    ...{ ...LOCATE_SLOTS, operation, kernel: VariantsKernel.locate },
    ...{ cost: step.cost, words: step.words },
    stage(staging) {
      staging.tensor(Frame.key, "key", key);
      stageFeatures(staging, step);
      return [staging.output(Frame.result, key.dims, undefined)];
    },
  });
  return located as Tensor;
}

export function* locationSteps(engine: Engine, checked: LocationStep): Steps<LocationResult> {
  const step = lastingStep(engine, checked);
  const { operation, query, value, state, options } = step;
  const located = yield* locatedKeys(engine, step);
  const call = checkAdditiveCall(operation, [query, located, value], options);
  const { output, weights } = yield* callAttend(engine, attendCallOf(engine, call));
  const dims = state.previous.dims;
  const previous = { data: (weights as Tensor).data, dims };
  const before = state.cumulative.data;
  const sums = Float32Array.from(previous.data, (weight, j) => weight + (before[j] as number));
  const [batch, , size] = output.dims as [number, number, number];
  return {
    output: { data: output.data, dims: [batch, size] },
    weights: { data: previous.data.slice(), dims: dims.slice() },
    state: { previous, cumulative: { data: sums, dims: dims.slice() } },
  };
}
