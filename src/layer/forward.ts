// The layer's forward pass: check everything, project, attend, project; what lies between the projections
// stays in linear memory.

import { type AttendCall, callAttend, checkAttendOf } from "../attend/forward";
import { checkBoolean } from "../check/values";
import type { Engine } from "../instance/instance";
import type { PreparedLinear } from "../linear/linear";
import type { Steps } from "../run/steps";
import { AllocatedTensor } from "../tensor/allocated";
import { checkOut, type Tensor } from "../tensor/tensor";
import { type AppendedRows, attendAppended, wantedOfParts } from "./appended";
import type { LayerInputs, LayerOptions, LayerResult } from "./options";
import type { LayerWeights } from "./projections";
import { LayerRecord } from "./record";
import { checkInputs, refuseRecord } from "./sizes";

/** What a layer is made of. */
export interface LayerParts {
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly projections: Record<keyof LayerWeights, PreparedLinear>;
  /** Keys and values that every query sees besides the inputs' own. */
  readonly appended: AppendedRows | undefined;
}

/** A forward pass that can be made. */
export interface ForwardCall {
  readonly given: Record<"query" | "key" | "value", Tensor>;
  readonly asked: { readonly key: boolean; readonly value: boolean };
  readonly attend: AttendCall;
  readonly appended: AppendedRows | undefined;
  readonly options: LayerOptions;
}

/** `options` as they were read. */
export function checkForward(
  operation: string,
  layer: LayerParts,
  inputs: Tensor | LayerInputs,
  options: LayerOptions,
): ForwardCall {
  const { heads, keyValueHeads, projections, appended } = layer;
  const { out, record = false, logSumExp, ...score } = options;
  checkBoolean(operation, "record", record);
  checkBoolean(operation, "logSumExp", logSumExp);
  if (record) refuseRecord(operation, options);
  const { given, asked } = checkInputs(operation, projections, inputs);
  const dims = [...given.query.dims.slice(0, -1), projections.output.outputSize];
  const target = checkOut(operation, out, dims);
  // The projections are not made yet, only their sizes are known.
  const projected = (name: "query" | "key" | "value"): Tensor => ({
    data: new Float32Array(0),
    dims: [...given[name].dims.slice(0, -1), projections[name].outputSize],
  });
  const placeholders = {
    query: projected("query"),
    key: projected("key"),
    value: projected("value"),
  };
  const wanted = appended ? wantedOfParts(options) : { logSumExp: record || logSumExp };
  const inside = { ...score, ...wanted, heads, keyValueHeads };
  const attend = checkAttendOf(operation, placeholders, "BLE", inside);
  return { given, asked, attend, appended, options: { ...options, out: target } };
}

export function* forwardSteps(
  engine: Engine,
  owner: object,
  layer: LayerParts,
  { given, asked, attend, appended, options }: ForwardCall,
): Steps<LayerResult> {
  const { operation } = attend;
  const { out, record = false, logSumExp: wanted } = options;
  const { heads, keyValueHeads, projections } = layer;
  let recorded: LayerRecord | undefined;
  const temporaries: AllocatedTensor[] = [];
  const allocate = (dims: readonly number[]) => {
    const made = new AllocatedTensor(engine.arena, dims);
    temporaries.push(made);
    return made;
  };
  try {
    function* project(name: "query" | "key" | "value"): Steps<AllocatedTensor> {
      const x = given[name];
      const target = allocate([...x.dims.slice(0, -1), projections[name].outputSize]);
      yield* projections[name].apply(engine, operation, x, { out: target }, name);
      return target;
    }
    const query = yield* project("query");
    const key = yield* project("key");
    const value = yield* project("value");
    const mixed = allocate([...query.dims.slice(0, -1), projections.output.inputSize]);
    const call = { ...attend, inputs: { query, key, value } };
    const whole = { ...options, logSumExp: record || wanted, out: mixed };
    const inside = { ...whole, layout: "BLE", heads, keyValueHeads } as const;
    const { weights, scores, logSumExp } = appended
      ? yield* attendAppended(engine, call, appended, inside)
      : yield* callAttend(engine, { ...call, out: mixed });
    const output = yield* projections.output.apply(engine, operation, mixed, { out });
    if (record && logSumExp) {
      const inputs = {
        query: given.query,
        key: asked.key ? given.key : undefined,
        value: asked.value ? given.value : undefined,
      };
      // The caller may write into what is returned.
      const copy = wanted ? { ...logSumExp, data: logSumExp.data.slice() } : logSumExp;
      recorded = new LayerRecord(owner, { given: inputs, call, mixed, logSumExp: copy, appended });
    }
    return {
      output,
      ...(weights && { weights }),
      ...(scores && { scores }),
      ...(wanted && logSumExp && { logSumExp }),
      ...(recorded && { record: recorded }),
    };
  } finally {
    if (!recorded) for (const temporary of temporaries) temporary.dispose();
  }
}
