// The states of spans made into a result: the bits of one call over all keys.

import { SPAN_KEYS } from "../../assembly/kinds";
import { kindOf, lengthOf } from "../arrays";
import { type Attention, checkAttention } from "../attend/attention";
import type { MergeOptions } from "../attend/merge";
import type { AttendState } from "../attend/options";
import { mergeSpansSteps, stateLength } from "../attend/states";
import { reader } from "../check/names";
import { checkHeads, checkLayout, viewOf } from "../check/shapes";
import { checkBoolean } from "../check/values";
import { ArgumentError, describe } from "../errors";
import { checkDims } from "../tensor/dims";
import { checkOut } from "../tensor/tensor";

/** Options of `mergeSpans`. */
export interface MergeSpansOptions extends MergeOptions {
  /** Dims of the output. */
  dims: readonly number[];
  /**
   * How many keys there are of all, those of spans that are left out included: with more than 4096 even
   * one state is merged, as one call would. As many spans as there are states by default.
   */
  keys?: number | undefined;
  /**
   * Whether the multiply-adds of the shards round once, as `fused` of each says; as this engine's by
   * default. States of a cache of few bits never do, and an engine that does needs the extension `cache`
   * for theirs.
   */
  fused?: boolean | undefined;
}

const readMergeSpans = reader<MergeSpansOptions>({
  dims: 1,
  keys: 1,
  fused: 1,
  layout: 1,
  heads: 1,
  out: 1,
});

/**
 * The states of spans of 4096 keys, as shards give them, made into output and logSumExp: the bits of one
 * `attend` over all keys. `states` in the order of their keys; those of spans that no row sees may be left
 * out.
 *
 * @throws ArgumentError for states of other sizes; MemoryError, DisposedError.
 */
export function mergeSpans(
  attention: Attention,
  states: readonly Float32Array[],
  options: MergeSpansOptions,
): AttendState {
  const name = "mergeSpans";
  const engine = checkAttention(name, attention);
  const read = readMergeSpans(name, options);
  const layout = checkLayout(name, read.layout);
  const [heads] = checkHeads(name, layout, { heads: read.heads });
  const dims = checkDims(name, "dims", read.dims);
  const { batchDims, headDims, ...view } = viewOf(name, "dims", layout, dims, heads);
  const merged = {
    batch: view.batch,
    heads: view.heads,
    queries: view.rows,
    valueSize: view.size,
    outputStrides: view.strides,
    outputDims: dims,
    logSumExpDims: [...batchDims, ...headDims, view.rows],
  };
  const checked = checkStates(name, states, stateLength(merged));
  const { keys = checked.length * SPAN_KEYS } = read;
  if (!Number.isInteger(keys) || Math.ceil(keys / SPAN_KEYS) < checked.length) {
    const expected = `at least ${checked.length} spans of ${SPAN_KEYS}`;
    throw new ArgumentError(name, "keys", expected, describe(keys));
  }
  const out = checkOut(name, read.out, dims);
  const alone = keys <= SPAN_KEYS;
  checkBoolean(name, "fused", read.fused);
  const fused = read.fused ?? engine.fused;
  if (fused && !engine.fused) {
    const expected = "false: this engine's multiply-adds round twice";
    throw new ArgumentError(name, "fused", expected, "true");
  }
  return engine.run(name, (running) =>
    mergeSpansSteps(running, name, checked, { ...merged, alone, fused }, out),
  );
}

function checkStates(operation: string, states: unknown, length: number): readonly Float32Array[] {
  if (!Array.isArray(states)) {
    throw new ArgumentError(operation, "states", "an array of them", describe(states));
  }
  return states.map((state: unknown, index) => {
    if (kindOf(state) === "Float32Array" && lengthOf(state as Float32Array) === length)
      return state as Float32Array;
    const expected = `a Float32Array of ${length}`;
    throw new ArgumentError(operation, `states[${index}]`, expected, describe(state));
  });
}
