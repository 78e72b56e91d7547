// Gradients of attendAppended: those of its two parts, from the output and logSumExp of both together.

import type { AttendCall } from "../attend/forward";
import type { Engine } from "../instance/instance";
import type { AppendedRows, BiasKeyValue } from "../layer/appended";
import type { Steps } from "../run/steps";
import type { Tensor } from "../tensor/tensor";
import { callBackward } from "./attend";
import { checkWanted } from "./bias";
import type { PassedBack } from "./given";
import type { AttendGradients, GradientOptions } from "./options";

/** Of the inputs as attendBackward's, and of the bias. */
export interface AppendedGradients extends AttendGradients {
  biasKeyValue?: BiasKeyValue;
}

/** What attendAppended was given and gave. */
export interface AppendedPass {
  readonly call: AttendCall;
  readonly rows: AppendedRows;
  readonly passed: PassedBack;
}

/**
 * Gradients of attendAppended, whose output and logSumExp are over all keys: what a set of keys adds
 * to them needs no more of the others than that.
 */
export function* attendAppendedBackward(
  engine: Engine,
  { call, rows, passed }: AppendedPass,
  options: GradientOptions,
): Steps<AppendedGradients> {
  const wanted = checkWanted(call.operation, options, call.checked);
  // The sinks' gradient comes with the appended keys: a sequence may have no others.
  const withoutSinks = { ...options, gradients: { ...wanted, sinks: false } };
  const ofInputs = yield* callBackward(engine, call, passed, withoutSinks);
  const other = rows.call(call);
  const { sinks } = call.checked.scoring;
  const scoring = { ...other.checked.scoring, sinks: wanted.sinks ? sinks : undefined };
  const { keyGradient, valueGradient, sinksGradient } = yield* callBackward(
    engine,
    { ...other, checked: { ...other.checked, scoring } },
    passed,
    {
      gradients: { sinks: wanted.sinks },
      out: { query: ofInputs.queryGradient },
      accumulate: true,
    },
  );
  const gradients = { ...ofInputs, ...(sinksGradient && { sinksGradient }) };
  const { biasDims } = rows;
  if (!biasDims) return gradients;
  const biasKeyValue = {
    key: firstRows(keyGradient, biasDims.key),
    value: firstRows(valueGradient, biasDims.value),
  };
  return { ...gradients, biasKeyValue };
}

/** The first row of every batch of [..., n, size], summed. */
function firstRows({ data, dims }: Tensor, summedDims: readonly number[]): Tensor {
  const [count, size] = dims.slice(-2) as [number, number];
  const sums = new Float64Array(size);
  for (let at = 0; at < data.length; at += count * size) {
    for (let d = 0; d < size; d++) sums[d] += data[at + d] as number;
  }
  return { data: Float32Array.from(sums), dims: summedDims };
}
