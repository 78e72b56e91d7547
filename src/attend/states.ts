// The states of attend's spans instead of its result: what is merged later with those of other keys, in the
// order and by the steps by which one call would have merged them.

import { CacheKernel, CoreKernel, SPAN_KEYS } from "../../assembly/kinds";
import { AttendFrame, SpansFrame } from "../../build/frames";
import type { Shapes } from "../check/shapes";
import { clearedFrame, type Engine } from "../instance/instance";
import { CORE, type Module, moduleOf } from "../instance/modules";
import { Staging } from "../run/staging";
import type { Steps } from "../run/steps";
import type { Tensor } from "../tensor/tensor";
import { stageCall, writeCall } from "./call";
import { ATTEND, type AttendCall, shareCall } from "./forward";
import type { AttendState } from "./options";

type Rows = Pick<Shapes, "batch" | "heads" | "queries" | "valueSize">;

/** Numbers of one span's state: output [rows][⌈Dv/8⌉·8], m [rows], l [rows], of B·H·L rows. */
export function stateLength({ batch, heads, queries, valueSize }: Rows): number {
  return batch * heads * queries * (Math.ceil(valueSize / 8) * 8 + 2);
}

/** The state of each span of a call's keys; all 0 for one of which no key is seen. */
export function* callStates(engine: Engine, call: AttendCall): Steps<Float32Array[]> {
  const { operation, inputs, shapes, checked, pages, kernel = ATTEND } = call;
  const module = engine.modules[kernel.module] as Module;
  const length = stateLength(shapes);
  const spans = Math.ceil(shapes.keys / SPAN_KEYS);
  if (!spans || !length) return Array.from({ length: spans }, () => new Float32Array(length));
  const words = writeCall(engine, shapes, checked);
  const threads = shareCall(engine, words, shapes, false);
  words[AttendFrame.stateRows] = shapes.batch * shapes.heads * shapes.queries;
  // Before it is known where, it counts that there are any.
  words[AttendFrame.states] = 1;
  const staging = new Staging(engine, operation);
  stageCall(staging, inputs, checked, pages);
  const states = staging.reserve(AttendFrame.states, spans * length * 4);
  staging.reserve(AttendFrame.scratch, module.scratchBytes(kernel.kernel, engine.frame));
  try {
    const address = yield* staging.beginSteps();
    engine.arena.bytes.fill(0, states.address, states.address + states.bytes);
    const items = module.items(kernel.kernel, address);
    yield staging.work(kernel, items, threads);
    const data = yield* staging.copy(states);
    return Array.from({ length: spans }, (_, span) =>
      spans === 1 ? data : data.slice(span * length, (span + 1) * length),
    );
  } finally {
    staging.release();
  }
}

/** What states are merged into. */
export interface Merged extends Rows, Pick<Shapes, "outputStrides" | "outputDims"> {
  readonly logSumExpDims: readonly number[];
  /** Whether there is no other span, whose states are the result. */
  readonly alone: boolean;
  /** Whether multiply-adds round once, as where the states come from. */
  readonly fused: boolean;
}

/** States in the order of their keys, each of `stateLength` numbers. */
export function* mergeSpansSteps(
  engine: Engine,
  operation: string,
  states: readonly Float32Array[],
  merged: Merged,
  out: Tensor | undefined,
): Steps<AttendState> {
  const { batch, heads, queries, outputDims, alone } = merged;
  const { module, kernel } = mergerOf(engine, operation, merged.fused);
  const length = stateLength(merged);
  const rows = batch * heads * queries;
  // Others are merged into those of no key.
  const all = alone && states.length === 1 ? states : [noState(length, rows), ...states];
  const words = clearedFrame(engine);
  words[SpansFrame.rows] = rows;
  words[SpansFrame.columns] = rows && length / rows - 2;
  words[SpansFrame.count] = all.length;
  const staging = new Staging(engine, operation);
  const result = staging.output(undefined, outputDims, out);
  const region = staging.reserve(SpansFrame.states, all.length * length * 4);
  staging.reserve(SpansFrame.scratch, 64);
  try {
    const call = staging.begin();
    const { floats } = engine.arena;
    const at = region.address / 4;
    for (const [span, state] of all.entries()) floats.set(state, at + span * length);
    module.run(kernel, call, 0, 0, 0);
    const m = at + length - 2 * rows;
    const data = floats.slice(m, m + rows);
    placeRows(floats, at, result.region.address / 4, merged);
    return {
      logSumExp: { data, dims: [...merged.logSumExpDims] },
      output: yield* staging.result(result),
    };
  } finally {
    staging.release();
  }
}

/** The core, or the cache's module, whose multiply-adds never round once. */
function mergerOf(engine: Engine, operation: string, fused: boolean) {
  if (engine.fused === fused)
    return { module: engine.modules[CORE], kernel: CoreKernel.mergeSpans };
  const module = engine.modules[moduleOf(engine, operation, "cache")] as Module;
  return { module, kernel: CacheKernel.mergeSpans };
}

function noState(length: number, rows: number): Float32Array {
  return new Float32Array(length).fill(-Infinity, length - 2 * rows, length - rows);
}

/** Rows [B, H, L][columns] at `from`, put where the layout has them. */
function placeRows(floats: Float32Array, from: number, to: number, merged: Merged): void {
  const { batch, heads, queries, valueSize, outputStrides } = merged;
  const columns = Math.ceil(valueSize / 8) * 8;
  let source = from;
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      const first = to + b * outputStrides.batch + h * outputStrides.head;
      for (let row = 0; row < queries; row++, source += columns) {
        floats.copyWithin(first + row * outputStrides.row, source, source + valueSize);
      }
    }
  }
}

/**
 * The state of a span of which no key is seen, where each head has a sink, a logit without a value: of the
 * rows that have a query, of each batch.
 */
export function sinkState(
  shape: Rows,
  sinks: ArrayLike<number>,
  queryLengths: readonly number[],
): Float32Array {
  const { batch, heads, queries } = shape;
  const state = new Float32Array(stateLength(shape));
  const rows = batch * heads * queries;
  const m = state.length - 2 * rows;
  for (let row = 0; row < rows; row++) {
    const sink = sinks[Math.floor(row / queries) % heads] as number;
    const filled = row % queries < (queryLengths[Math.floor(row / (heads * queries))] as number);
    if (!filled || sink === -Infinity) continue;
    state[m + row] = sink;
    state[m + rows + row] = 1;
  }
  return state;
}
