// The layer's forward pass: check everything, project, attend, project; what lies between the projections
// stays in linear memory.

import type { Attention } from "../attend/attention";
import { type AttendCall, callAttend, checkAttendOf } from "../attend/forward";
import type { AttendOptions } from "../attend/options";
import { checkBoolean } from "../check/values";
import { ArgumentError, describe } from "../errors";
import type { Engine } from "../instance/instance";
import type { PreparedLinear } from "../linear/prepared";
import type { Steps } from "../run/steps";
import { AllocatedTensor } from "../tensor/allocated";
import { checkOut, type Tensor } from "../tensor/tensor";
import type { AppendedRows } from "./appended";
import { type CachedCall, checkCached, type LayerCache } from "./cached";
import type { LayerInputs, LayerOptions, LayerResult } from "./options";
import type { LayerWeights } from "./projections";
import { LayerRecord } from "./record";
import { checkRotation, type Rotation } from "./rotation";
import { checkGiven, type Given } from "./sizes";

/** What a layer is made of. */
export interface LayerParts {
  readonly attention: Attention;
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly projections: Record<keyof LayerWeights, PreparedLinear>;
  /** Keys and values that every query sees besides the inputs' own. */
  readonly appended: AppendedRows | undefined;
}

/** A forward pass that can be made. */
export interface ForwardCall {
  given: Given;
  readonly asked: { readonly key: boolean; readonly value: boolean };
  readonly operation: string;
  /** Where keys and values are not those of a cache. */
  readonly attend: AttendCall | undefined;
  cache: LayerCache | undefined;
  readonly rotation: Rotation | undefined;
  readonly appended: AppendedRows | undefined;
  readonly options: LayerOptions;
  /** Instead of that of the options. */
  out: Tensor | undefined;
}

/** `options` as they were read. */
export function checkForward(
  operation: string,
  layer: LayerParts,
  inputs: Tensor | LayerInputs,
  options: LayerOptions,
): ForwardCall {
  const { heads, keyValueHeads, projections, appended } = layer;
  const { out: wanted, record = false, logSumExp } = options;
  checkBoolean(operation, "record", record);
  checkBoolean(operation, "logSumExp", logSumExp);
  const cache = checkCached(operation, layer, options);
  if (cache && appended) {
    const expected = "no value for a layer with keys of its own besides the inputs'";
    throw new ArgumentError(operation, "cache", expected, "a cache");
  }
  const { given, asked } = checkGiven(operation, projections, inputs, cache?.cross);
  if (cache && !given.key && options.keyLengths !== undefined) {
    const expected = "no value without a key: the cache knows them";
    throw new ArgumentError(operation, "keyLengths", expected, describe(options.keyLengths));
  }
  const rotation = checkRotation(operation, layer.attention, options, {
    query: given.query,
    headSize: projections.query.outputSize / heads,
    own: !asked.key,
  });
  const dims = [...given.query.dims.slice(0, -1), projections.output.outputSize];
  const out = checkOut(operation, wanted, dims);
  // The projections are not made yet, only their sizes are known.
  const projected = (name: "query" | "key" | "value"): Tensor => {
    const { dims } = given[name] as Tensor;
    return {
      data: new Float32Array(0),
      dims: [...dims.slice(0, -1), projections[name].outputSize],
    };
  };
  const kept = logSumExp || (record && options.normalizer === undefined);
  const inside = (): AttendOptions => ({
    ...options,
    logSumExp: kept,
    ...appended?.wanted(options),
    // All else that is the layer's alone attend does not read.
    out: undefined,
    heads,
    keyValueHeads,
  });
  const attend = cache
    ? undefined
    : checkAttendOf(
        operation,
        { query: projected("query"), key: projected("key"), value: projected("value") },
        "BLE",
        inside(),
      );
  return { operation, given, asked, attend, cache, rotation, appended, options, out };
}

export function* forwardSteps(
  engine: Engine,
  owner: object,
  layer: LayerParts,
  { operation, given, asked, attend, cache, rotation, appended, options, out }: ForwardCall,
): Steps<LayerResult> {
  const { record = false, logSumExp: wanted } = options;
  const { heads, keyValueHeads, projections } = layer;
  let recorded: LayerRecord | undefined;
  let added: CachedCall | undefined;
  const temporaries: AllocatedTensor[] = [];
  const allocate = (dims: readonly number[]) => {
    const made = new AllocatedTensor(engine.arena, dims);
    temporaries.push(made);
    return made;
  };
  try {
    function* project(name: "query" | "key" | "value"): Steps<AllocatedTensor> {
      const x = given[name] as Tensor;
      const target = allocate([...x.dims.slice(0, -1), projections[name].outputSize]);
      yield* projections[name].apply(engine, operation, x, { out: target }, name);
      return target;
    }
    const query = yield* project("query");
    const key = given.key && (yield* project("key"));
    const value = given.value && (yield* project("value"));
    const mixed = allocate([...query.dims.slice(0, -1), projections.output.inputSize]);
    added = cache?.add(operation, { query, key, value }, options);
    const projected = { query, key, value } as Record<keyof Given, AllocatedTensor>;
    if (rotation) for (const x of [query, projected.key]) rotation(operation, x);
    // This pass's own: object spreads cost small calls more than what they compute (bench/NOTES.md).
    const call = added?.call ?? (attend as AttendCall);
    if (!added) call.inputs = projected;
    if (!appended) call.out = mixed;
    const { weights, scores, logSumExp } = appended
      ? yield* appended.attend(engine, call, {
          ...options,
          logSumExp: record || wanted,
          out: mixed,
          layout: "BLE",
          heads,
          keyValueHeads,
        })
      : yield* callAttend(engine, call);
    const output = yield* projections.output.apply(engine, operation, mixed, { out });
    if (record) {
      const own = {
        query: given.query,
        key: asked.key ? given.key : undefined,
        value: asked.value ? given.value : undefined,
      };
      // The caller may write into what is returned.
      const copy = wanted && logSumExp ? { ...logSumExp, data: logSumExp.data.slice() } : logSumExp;
      const passed = { ...call, inputs: projected };
      const all = { given: own, call: passed, mixed, logSumExp: copy, rotation, appended };
      recorded = new LayerRecord(owner, all);
    }
    const result: { output: Tensor } & Partial<LayerResult> = { output };
    if (weights) result.weights = weights;
    if (scores) result.scores = scores;
    if (wanted && logSumExp) result.logSumExp = logSumExp;
    if (recorded) result.record = recorded;
    return result as LayerResult;
  } catch (error) {
    added?.undo();
    throw error;
  } finally {
    added?.done();
    if (!recorded) for (const temporary of temporaries) temporary.dispose();
  }
}
