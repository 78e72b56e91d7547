// Gradients of attend: check → place → call → take, as in attend.ts.

import { MaskField, MaskKind, Slot } from "../assembly/frame";
import { checkScores, maskSlot, type Scores, stageCall, writeCall } from "./call";
import { checkAccumulate, checkBoolean, checkOptions } from "./checks";
import { Kernel } from "./engine/control";
import type { Engine } from "./engine/load";
import { Staging } from "./engine/staging";
import { type Steps, threadsFor } from "./engine/work";
import { ArgumentError, describe } from "./errors";
import type { AttendOptions, ScoreOptions } from "./options";
import { checkInputs, checkLayout, checkShapes, type Inputs, type Shapes } from "./shapes";
import { checkDimsOf, checkOut, checkTensor, elementsOf, type Tensor } from "./tensor";
import { checkVisibility, type Visibility } from "./visibility";

/** What `attend` gave with `logSumExp: true`, and with the same options otherwise. */
export interface AttendState {
  /** In the layout of the query. */
  readonly output: Tensor;
  /** [B, H, L], without the axes that the query does not have. */
  readonly logSumExp: Tensor;
}

/** Of the backward pass, besides those that say which scores were computed. */
export interface GradientOptions {
  /** Gradients wanted besides those of query, key and value. */
  gradients?:
    | {
        /** Of an additive mask, or of each in a list, summed over what was broadcast. */
        readonly mask?: boolean | undefined;
        /** Of the slopes, [H] or [B, H] as they were given. */
        readonly alibi?: boolean | undefined;
        /** Of the sinks, [H]. */
        readonly sinks?: boolean | undefined;
      }
    | undefined;
  /** Where to write the gradients: as many elements as the tensors have. */
  out?:
    | {
        /** Of the query. */
        readonly query?: Float32Array | Tensor | undefined;
        /** Of the key. */
        readonly key?: Float32Array | Tensor | undefined;
        /** Of the value. */
        readonly value?: Float32Array | Tensor | undefined;
      }
    | undefined;
  /** Whether to add the gradients to what is in `out`. */
  accumulate?: boolean | undefined;
}

/** `weights`, `scores` and `logSumExp` may stand as they did in `attend`, and change nothing. */
export type BackwardScoreOptions = Omit<ScoreOptions, "out" | "scoreMod"> & GradientOptions;

/** Options of `attendBackward`: those of the `attend` it goes back through, and which gradients. */
export type BackwardOptions = Omit<AttendOptions, "out" | "scoreMod"> & GradientOptions;

/** What `attendBackward` returns; what was not asked for is missing. */
export interface AttendGradients {
  /** In the dims of the query. */
  queryGradient: Tensor;
  /** In the dims of the key. */
  keyGradient: Tensor;
  /** In the dims of the value. */
  valueGradient: Tensor;
  /** In the dims of the mask, summed over what was broadcast. */
  maskGradient?: Tensor;
  /** Instead, where `mask` is a list: as long as it, undefined for those that are not additive. */
  maskGradients?: readonly (Tensor | undefined)[];
  /** [H] or [B, H], as the slopes were given. */
  slopesGradient?: Tensor;
  /** [H] */
  sinksGradient?: Tensor;
}

const NAME = "attendBackward";

export function* attendBackward(
  engine: Engine,
  outputGradient: Tensor,
  query: Tensor,
  key: Tensor,
  value: Tensor,
  state: AttendState,
  options: BackwardOptions,
): Steps<AttendGradients> {
  checkOptions(NAME, options);
  const layout = checkLayout(NAME, options.layout);
  const inputs = checkInputs(NAME, query, key, value, layout);
  const shapes = checkShapes(NAME, inputs, layout, options as AttendOptions);
  const visibility = checkVisibility(NAME, shapes, options as AttendOptions);
  return yield* callBackward(
    engine,
    NAME,
    outputGradient,
    inputs,
    state,
    shapes,
    visibility,
    options,
  );
}

/** The call, once it is known what each sequence sees. */
export function* callBackward(
  engine: Engine,
  operation: string,
  outputGradient: Tensor,
  inputs: Inputs,
  state: AttendState,
  shapes: Shapes,
  visibility: Visibility,
  options: BackwardScoreOptions,
): Steps<AttendGradients> {
  refuseScoreMod(operation, options);
  const placed = checkScores(operation, shapes, visibility, options as ScoreOptions);
  const wanted = checkWanted(operation, options, placed);
  const { output, logSumExp } = checkState(operation, state, shapes);
  const gradient = like(operation, "outputGradient", outputGradient, shapes.outputDims);
  const out = checkOuts(operation, options, inputs);

  const { frame, kernels } = engine;
  const { batch, heads, queries, keys, headSize, valueSize } = shapes;
  const words = writeCall(engine, shapes, placed);
  // A mask's gradient is added up over all that it was broadcast to.
  const multiplyAdds = batch * heads * queries * keys * (3 * headSize + 2 * valueSize);
  const threads = wanted.mask ? 1 : threadsFor(engine, multiplyAdds);
  words[Slot.threads] = threads;
  const staging = new Staging(engine, operation, engine.shared || threads > 1);
  stageCall(staging, inputs, placed);
  staging.tensor(Slot.output, "output", output);
  staging.tensor(Slot.logSumExp, "logSumExp", logSumExp);
  staging.tensor(Slot.outputGradient, "outputGradient", gradient);
  const target = (name: keyof Inputs, slot: Slot) =>
    staging.output(slot, inputs[name].dims, out[name], `out.${name}`, options.accumulate === true);
  const queryPlace = target("query", Slot.queryGradient);
  const keyPlace = target("key", Slot.keyGradient);
  const valuePlace = target("value", Slot.valueGradient);
  const { masks, scoring } = placed;
  const maskPlaces = (wanted.mask ? masks.each : []).map(({ kind, dims }, index) =>
    kind === MaskKind.additive
      ? { dims, place: staging.room(maskSlot(index, MaskField.gradient), elementsOf(dims) * 4) }
      : undefined,
  );
  const slopesPlace = wanted.alibi && staging.room(Slot.slopesGradient, batch * heads * 4);
  const sinksPlace = wanted.sinks && staging.room(Slot.sinksGradient, batch * heads * 4);
  staging.room(Slot.scratch, kernels.backwardScratchBytes(frame));
  try {
    const call = yield* staging.place();
    for (const mask of maskPlaces) {
      if (!mask) continue;
      const { address, bytes } = mask.place;
      engine.arena.bytes.fill(0, address, address + bytes);
    }
    const items = kernels.backwardItems(call);
    yield staging.work({ kernel: Kernel.backward, items, threads });
    const asked: Partial<AttendGradients> = {};
    const sums: (Tensor | undefined)[] = [];
    for (const mask of maskPlaces) {
      sums.push(mask && { data: yield* staging.copy(mask.place), dims: mask.dims.slice() });
    }
    if (wanted.mask && masks.listed) asked.maskGradients = sums;
    else if (sums[0]) asked.maskGradient = sums[0];
    if (slopesPlace) {
      const sums = yield* staging.copy(slopesPlace);
      asked.slopesGradient = scoring.alibi?.perBatch
        ? { data: sums, dims: [batch, heads] }
        : overBatches(sums, heads);
    }
    if (sinksPlace) asked.sinksGradient = overBatches(yield* staging.copy(sinksPlace), heads);
    const [queryGradient, keyGradient, valueGradient] = (yield* staging.takeAll([
      queryPlace,
      keyPlace,
      valuePlace,
    ])) as [Tensor, Tensor, Tensor];
    return { queryGradient, keyGradient, valueGradient, ...asked };
  } finally {
    staging.release();
  }
}

/** [B, H] summed to [H]. */
function overBatches(sums: Float32Array, heads: number): Tensor {
  const totals = new Float64Array(heads);
  for (const [index, sum] of sums.entries()) totals[index % heads] += sum;
  return { data: Float32Array.from(totals), dims: [heads] };
}

function refuseScoreMod(operation: string, options: object): void {
  if (!("scoreMod" in options) || options.scoreMod === undefined) return;
  const expected = "no value: a function's gradient is not known";
  throw new ArgumentError(operation, "scoreMod", expected, describe(options.scoreMod));
}

function checkWanted(operation: string, { gradients }: GradientOptions, scores: Scores) {
  if (gradients === undefined) return {};
  if (typeof gradients !== "object" || gradients === null) {
    throw new ArgumentError(
      operation,
      "gradients",
      "{ mask?, alibi?, sinks? }",
      describe(gradients),
    );
  }
  const { masks, scoring } = scores;
  const given = {
    mask: masks.each.some(({ kind }) => kind === MaskKind.additive),
    alibi: scoring.alibi !== undefined,
    sinks: scoring.sinks !== undefined,
  };
  for (const name of ["mask", "alibi", "sinks"] as const) {
    const argument = `gradients.${name}`;
    checkBoolean(operation, argument, gradients[name]);
    if (gradients[name] && !given[name]) {
      const what = name === "mask" ? "an additive mask" : `\`${name}\` to be given`;
      throw new ArgumentError(operation, argument, what, "true without");
    }
  }
  return gradients;
}

function checkState(operation: string, state: AttendState, shapes: Shapes): AttendState {
  checkOptions(operation, state, "state", "{ output, logSumExp }");
  return {
    output: like(operation, "output", state.output, shapes.outputDims),
    logSumExp: like(operation, "logSumExp", state.logSumExp, shapes.logSumExpDims),
  };
}

/** A tensor of these dims. */
function like(operation: string, argument: string, value: unknown, dims: readonly number[]) {
  const checked = checkTensor(operation, argument, value);
  checkDimsOf(operation, argument, checked, dims);
  return checked;
}

function checkOuts(operation: string, { out, accumulate }: GradientOptions, inputs: Inputs) {
  checkAccumulate(operation, out, accumulate, "{ query?, key?, value? }");
  const target = (name: keyof Inputs) =>
    checkOut(operation, out?.[name], inputs[name].dims, `out.${name}`);
  return { query: target("query"), key: target("key"), value: target("value") };
}
