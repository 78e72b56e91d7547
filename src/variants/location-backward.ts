// Gradients of a step of locationSensitiveAttention: those of additiveAttention on the keys with their features,
// and then those of the features.

import { VariantsKernel } from "../../assembly/kinds";
import { LocateFrame as Frame } from "../../build/frames";
import { type Attention, checkAttention } from "../attend/attention";
import type { Abortable } from "../attend/options";
import { reader } from "../check/names";
import { checkAccumulate } from "../check/values";
import type { Engine } from "../instance/instance";
import { lasting } from "../run/lasting";
import type { Output } from "../run/staging";
import type { Steps } from "../run/steps";
import { AllocatedTensor } from "../tensor/allocated";
import { checkDimsOf, checkOut, checkTensor, type Tensor } from "../tensor/tensor";
import {
  checkState,
  checkStep,
  LOCATE_SLOTS,
  type LocationOptions,
  type LocationState,
  type LocationStep,
  lastingStep,
  locatedKeys,
  locationFields,
  stageFeatures,
} from "./location";
import { variantSteps } from "./module";
import { checkAdditivePass } from "./strip-backward";
import type { AdditiveGradients } from "./strip-gradients";
import { stripBackwardSteps } from "./strip-pass";

/** What a step of `locationSensitiveAttention` was given, and the gradients of what it gave. */
export interface LocationPass {
  /** As the step was given it. */
  readonly query: Tensor;
  /** As the step was given it. */
  readonly key: Tensor;
  /** As the step was given it. */
  readonly value: Tensor;
  /** In the dims of the output. */
  readonly outputGradient: Tensor;
  /** Of the weights [B, S], where they went into a loss. */
  readonly weightsGradient?: Tensor | undefined;
  /** Of the state that the step gave: what `stateGradient` of the next step is. */
  readonly stateGradient?: LocationState | undefined;
}

/** Options of `locationSensitiveAttentionBackward`: those of the step, and where gradients go. */
export interface LocationBackwardOptions extends LocationOptions {
  /** Where to write the gradients: as many elements as the tensors have. */
  out?:
    | {
        /** Of the query. */
        readonly query?: Float32Array | Tensor | undefined;
        /** Of the key. */
        readonly key?: Float32Array | Tensor | undefined;
        /** Of the value. */
        readonly value?: Float32Array | Tensor | undefined;
        /** Of F. */
        readonly filters?: Float32Array | Tensor | undefined;
        /** Of U. */
        readonly locationWeight?: Float32Array | Tensor | undefined;
      }
    | undefined;
  /** Whether to add the gradients to what is in `out`, as those of keys and weights of all steps are. */
  accumulate?: boolean | undefined;
}

/** What `locationSensitiveAttentionBackward` returns. */
export interface LocationGradients {
  /** [B, D] */
  queryGradient: Tensor;
  /** [B, S, D] */
  keyGradient: Tensor;
  /** [B, S, Dv] */
  valueGradient: Tensor;
  /** Of F, [filters, 2, K]. */
  filtersGradient: Tensor;
  /** Of U, [filters, D]. */
  locationWeightGradient: Tensor;
  /** Of w, [D]. */
  scoreWeightGradient: Tensor;
  /** Of b, [D]. */
  scoreBiasGradient: Tensor;
  /** Of α [1], where there is one. */
  alphaGradient?: Tensor;
  /** Of the state that the step was given. */
  stateGradient: LocationState;
}

const names = ["query", "key", "value", "filters", "locationWeight"] as const;
type Name = (typeof names)[number];
const fields = { ...locationFields, out: 1, accumulate: 1 } as const;
const options = "{ filters, locationWeight, … }";
const read = reader<LocationBackwardOptions>(fields, options);
const readAsync = reader<LocationBackwardOptions & Abortable>({ ...fields, signal: 1 }, options);
const readOut = reader<NonNullable<LocationBackwardOptions["out"]>>({
  query: 1,
  key: 1,
  value: 1,
  filters: 1,
  locationWeight: 1,
});
const readPass = reader<LocationPass>(
  { query: 1, key: 1, value: 1, outputGradient: 1, weightsGradient: 1, stateGradient: 1 },
  "{ query, key, value, outputGradient, weightsGradient?, stateGradient? }",
);

/**
 * Gradients of one step of `locationSensitiveAttention`: of query, key, value, F, U, w and b, and of the state that it
 * was given, which is `stateGradient` of the step before: steps go back from the last to the first, and
 * `accumulate` sums what they share.
 *
 * @throws ArgumentError, MemoryError, DisposedError as `attend`.
 */
export function locationSensitiveAttentionBackward(
  attention: Attention<"variants">,
  pass: LocationPass,
  options: LocationBackwardOptions,
): LocationGradients {
  const name = "locationSensitiveAttentionBackward";
  return checkAttention(name, attention).run(name, (engine) =>
    locationGradients(engine, checkLocationBackward(name, pass, read(name, options))),
  );
}

/** `locationSensitiveAttentionBackward` without holding the calling thread; see `attendAsync`. */
export function locationSensitiveAttentionBackwardAsync(
  attention: Attention<"variants">,
  pass: LocationPass,
  options: LocationBackwardOptions & Abortable,
): Promise<LocationGradients> {
  const name = "locationSensitiveAttentionBackwardAsync";
  return checkAttention(name, attention).runAsync(name, () => {
    const { signal, ...given } = readAsync(name, options);
    const call = checkLocationBackward(name, pass, given);
    return { signal, steps: (engine) => locationGradients(engine, call) };
  });
}

/** Gradients of a step, checked. */
export interface LocationBackwardCall {
  readonly step: LocationStep;
  /** [B, 1, Dv] */
  readonly outputGradient: Tensor;
  /** Of the weights, wherever they went: [B, 1, 1, S]. */
  readonly weightsGradient: Tensor;
  /** Of the sum that the step gave. */
  readonly cumulative: Float32Array;
  readonly out: Readonly<Record<Name, Tensor | undefined>>;
  readonly dims: Readonly<Record<Name, readonly number[]>>;
  readonly added: boolean;
}

/** `options` as they were read. */
export function checkLocationBackward(
  operation: string,
  given: LocationPass,
  { out, accumulate, ...options }: LocationBackwardOptions,
): LocationBackwardCall {
  const pass = readPass(operation, given, "pass");
  const step = checkStep(operation, [pass.query, pass.key, pass.value], options);
  const { query, key, value, filters, weight } = step;
  const [batch, keys] = step.state.previous.dims as [number, number];
  const size = value.dims[2] as number;
  const outputGradient = checkTensor(operation, "outputGradient", pass.outputGradient);
  checkDimsOf(operation, "outputGradient", outputGradient, [batch, size]);
  const { weightsGradient: ofWeights } = pass;
  const weightsGradient =
    ofWeights === undefined ? undefined : checkTensor(operation, "weightsGradient", ofWeights);
  if (weightsGradient) checkDimsOf(operation, "weightsGradient", weightsGradient, [batch, keys]);
  const shape = "{ query?, key?, value?, filters?, locationWeight? }";
  const targets = checkAccumulate(operation, out, accumulate, shape, readOut);
  const dims = {
    query: [batch, query.dims[2] as number],
    ...{ key: key.dims, value: value.dims, filters: filters.dims, locationWeight: weight.dims },
  };
  const target = (name: Name) => checkOut(operation, targets[name], dims[name], `out.${name}`);
  const reaching = checkState(operation, pass.stateGradient, [batch, keys], "stateGradient");
  const [previous, sum, own] = [
    reaching.previous.data,
    reaching.cumulative.data,
    weightsGradient?.data,
  ];
  // Weights are an output, what the next step has before it, and part of its sum.
  const all = Float32Array.from(previous, (x, j) => x + (sum[j] as number) + (own?.[j] ?? 0));
  return {
    step,
    outputGradient: AllocatedTensor.from(outputGradient)?.view(0, [batch, 1, size]) ?? {
      data: outputGradient.data,
      dims: [batch, 1, size],
    },
    weightsGradient: { data: all, dims: [batch, 1, 1, keys] },
    cumulative: Float32Array.from(sum),
    out: Object.fromEntries(
      names.map((name) => [name, target(name)]),
    ) as LocationBackwardCall["out"],
    dims,
    added: accumulate === true,
  };
}

export function* locationGradients(
  engine: Engine,
  call: LocationBackwardCall,
): Steps<LocationGradients> {
  const { weightsGradient, cumulative, out, dims, added } = call;
  const step = lastingStep(engine, call.step);
  const outputGradient = lasting(engine, call.outputGradient);
  const { operation, query, value, options, words } = step;
  const located = yield* locatedKeys(engine, step);
  const pass = { query, key: located, value, outputGradient, weightsGradient };
  const additive = checkAdditivePass(operation, pass, options);
  const back = (yield* stripBackwardSteps(engine, additive)) as AdditiveGradients;
  const ready = { query: back.queryGradient, key: back.keyGradient, value: back.valueGradient };
  const reached: Output[] = [];
  const results = yield* variantSteps(engine, {
    ...{ ...LOCATE_SLOTS, operation, kernel: VariantsKernel.locateBackward, words },
    cost: 3 * step.cost,
    stage(staging) {
      stageFeatures(staging, step);
      staging.tensor(Frame.resultGradient, "key", back.keyGradient);
      const target = (name: Name, slot?: Frame) =>
        staging.output(slot, dims[name], out[name], `out.${name}`, added);
      reached.push(target("query"), target("key"), target("value"));
      const state = step.state.previous.dims;
      return [
        ...reached,
        target("filters", Frame.filtersGradient),
        target("locationWeight", Frame.weightGradient),
        staging.output(Frame.previousGradient, state, undefined),
        staging.output(Frame.cumulativeGradient, state, undefined),
      ];
    },
    // Those of the scores leave with those of the features: a call that fails has written none.
    fill({ arena }) {
      for (const [index, { data }] of Object.values(ready).entries())
        arena.floats.set(data, (reached[index] as Output).region.address / 4);
    },
  });
  const [queryGradient, keyGradient, valueGradient, ...others] = results as Results;
  const [filtersGradient, locationWeightGradient, previous, own] = others;
  const all = own.data.map((x, j) => x + (cumulative[j] as number));
  const { scoreWeightGradient, scoreBiasGradient, alphaGradient } = back;
  return {
    ...{ queryGradient, keyGradient, valueGradient, filtersGradient, locationWeightGradient },
    ...{ scoreWeightGradient, scoreBiasGradient, ...(alphaGradient && { alphaGradient }) },
    stateGradient: { previous, cumulative: { data: all, dims: own.dims } },
  };
}

type Results = [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor];
