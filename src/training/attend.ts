// Gradients of attend: check → stage → run → result, as in attend.ts.

import { MaskKind, TrainingKernel } from "../../assembly/kinds";
import { BackwardFrame, Mask as MaskRecord } from "../../build/frames";
import { type Attention, checkAttention } from "../attend/attention";
import { maskSlot, type Scores, stageCall, writeCall } from "../attend/call";
import { type AttendCall, checkAttend } from "../attend/forward";
import type { Abortable, AttendState } from "../attend/options";
import { reader } from "../check/names";
import type { Inputs, Shapes } from "../check/shapes";
import { checkAccumulate, checkBoolean } from "../check/values";
import { ArgumentError, describe } from "../errors";
import type { Engine } from "../instance/instance";
import { type Module, moduleOf } from "../instance/modules";
import { Staging } from "../run/staging";
import { type Steps, threadsFor } from "../run/steps";
import { elementsOf } from "../tensor/dims";
import { checkDimsOf, checkOut, checkTensor, type Tensor } from "../tensor/tensor";
import {
  type AttendGradients,
  type AttendPass,
  type BackwardOptions,
  type GradientOptions,
  readBackward,
  readBackwardAsync,
  readPass,
} from "./options";

/**
 * Gradients of `attend`'s inputs (Dao 2023, "FlashAttention-2": weights are made anew from
 * logSumExp, memory grows with L + S). `pass` holds the inputs of `attend`, the output and logSumExp it
 * gave with `logSumExp: true`, and the gradient of the output; the options are those it was called with.
 *
 * Gradients have the dims of their tensors; heads that share a key and value head are summed. On
 * request (`gradients`) those of additive masks, of ALiBi's slopes and of the sinks come too. A
 * row that saw no key has gradient 0.
 *
 * @throws ArgumentError, MemoryError, DisposedError as `attend`; `scoreMod` is refused.
 */
export function attendBackward(
  attention: Attention<"training">,
  pass: AttendPass,
  options: BackwardOptions = {},
): AttendGradients {
  const name = "attendBackward";
  return checkAttention(name, attention).run(name, (engine) => {
    const read = readBackward(name, options);
    const { call, given } = checkPass(name, pass, read);
    return callBackward(engine, call, given.outputGradient, given, read);
  });
}

/** `attendBackward` without holding the calling thread; see `attendAsync`. */
export function attendBackwardAsync(
  attention: Attention<"training">,
  pass: AttendPass,
  options: BackwardOptions & Abortable = {},
): Promise<AttendGradients> {
  const name = "attendBackwardAsync";
  return checkAttention(name, attention).runAsync(name, () => {
    const { signal, ...read } = readBackwardAsync(name, options);
    const { call, given } = checkPass(name, pass, read);
    const state = checkState(name, given, call.shapes);
    const gradient = like(name, "outputGradient", given.outputGradient, call.shapes.outputDims);
    return { signal, steps: (engine) => callBackward(engine, call, gradient, state, read) };
  });
}

function checkPass(
  operation: string,
  pass: AttendPass,
  options: BackwardOptions,
): { call: AttendCall; given: AttendPass } {
  const given = readPass(operation, pass, "pass");
  const forward = forwardOptions(operation, options);
  return { call: checkAttend(operation, given.query, given.key, given.value, forward), given };
}

/** Those of the forward pass; what it returned besides changes nothing. */
export function forwardOptions<T extends object>(
  operation: string,
  options: T,
): Omit<T, "out" | "scoreMod"> {
  const { scoreMod } = options as { readonly scoreMod?: unknown };
  if (scoreMod !== undefined) {
    const expected = "no value: a function's gradient is not known";
    throw new ArgumentError(operation, "scoreMod", expected, describe(scoreMod));
  }
  return { ...options, out: undefined };
}

/** `call` is the forward pass that the gradients go back through. */
export function* callBackward(
  engine: Engine,
  { operation, inputs, shapes, checked }: AttendCall,
  outputGradient: Tensor,
  state: AttendState,
  options: GradientOptions,
): Steps<AttendGradients> {
  const wanted = checkWanted(operation, options, checked);
  const { output, logSumExp } = checkState(operation, state, shapes);
  const gradient = like(operation, "outputGradient", outputGradient, shapes.outputDims);
  const out = checkOuts(operation, options, inputs);

  const { frame } = engine;
  const number = moduleOf(engine, operation, "training");
  const module = engine.modules[number] as Module;
  const { batch, heads, queries, keys, headSize, valueSize } = shapes;
  const words = writeCall(engine, shapes, checked);
  const multiplyAdds = batch * heads * queries * keys * (3 * headSize + 2 * valueSize);
  const serial = wanted.mask && inSeries(shapes, checked);
  const threads = serial ? 1 : threadsFor(engine, multiplyAdds);
  words[BackwardFrame.threads] = threads;
  const staging = new Staging(engine, operation, engine.concurrent || threads > 1);
  stageCall(staging, inputs, checked);
  staging.tensor(BackwardFrame.output, "output", output);
  staging.tensor(BackwardFrame.logSumExp, "logSumExp", logSumExp);
  staging.tensor(BackwardFrame.outputGradient, "outputGradient", gradient);
  const target = (name: keyof Inputs, slot: BackwardFrame) =>
    staging.output(slot, inputs[name].dims, out[name], `out.${name}`, options.accumulate === true);
  const queryOutput = target("query", BackwardFrame.queryGradient);
  const keyOutput = target("key", BackwardFrame.keyGradient);
  const valueOutput = target("value", BackwardFrame.valueGradient);
  const { masks, scoring } = checked;
  const maskRegions = (wanted.mask ? masks.each : []).map(({ kind, dims }, index) =>
    kind === MaskKind.additive
      ? {
          dims,
          region: staging.reserve(maskSlot(index, MaskRecord.gradient), elementsOf(dims) * 4),
        }
      : undefined,
  );
  const slopesRegion =
    wanted.alibi && staging.reserve(BackwardFrame.slopesGradient, batch * heads * 4);
  const sinksRegion =
    wanted.sinks && staging.reserve(BackwardFrame.sinksGradient, batch * heads * 4);
  staging.reserve(BackwardFrame.scratch, module.scratchBytes(TrainingKernel.backward, frame));
  try {
    const call = yield* staging.beginSteps();
    for (const mask of maskRegions) {
      if (!mask) continue;
      const { address, bytes } = mask.region;
      engine.arena.bytes.fill(0, address, address + bytes);
    }
    const items = module.items(TrainingKernel.backward, call);
    yield staging.work({ module: number, kernel: TrainingKernel.backward, items, threads });
    const asked: Partial<AttendGradients> = {};
    const sums: (Tensor | undefined)[] = [];
    for (const mask of maskRegions) {
      sums.push(mask && { data: yield* staging.copy(mask.region), dims: mask.dims.slice() });
    }
    if (wanted.mask && masks.listed) asked.maskGradients = sums;
    else if (sums[0]) asked.maskGradient = sums[0];
    if (slopesRegion) {
      const sums = yield* staging.copy(slopesRegion);
      asked.slopesGradient = scoring.alibi?.perBatch
        ? { data: sums, dims: [batch, heads] }
        : overBatches(sums, heads);
    }
    if (sinksRegion) asked.sinksGradient = overBatches(yield* staging.copy(sinksRegion), heads);
    const [queryGradient, keyGradient, valueGradient] = (yield* staging.results([
      queryOutput,
      keyOutput,
      valueOutput,
    ])) as [Tensor, Tensor, Tensor];
    return { queryGradient, keyGradient, valueGradient, ...asked };
  } finally {
    staging.release();
  }
}

/** Whether each item adds to what the one before has added to, see assembly/backward/order.ts. */
function inSeries({ batch, keyValueHeads }: Shapes, { masks }: AttendCall["checked"]): boolean {
  const added = masks.each.filter(({ kind }) => kind === MaskKind.additive);
  const meet = (axis: 0 | 1, count: number) =>
    count > 1 && added.some(({ strides }) => strides[axis] === 0);
  return meet(0, batch) && meet(1, keyValueHeads);
}

/** [B, H] summed to [H]. */
function overBatches(sums: Float32Array, heads: number): Tensor {
  const totals = new Float64Array(heads);
  for (const [index, sum] of sums.entries()) totals[index % heads] += sum;
  return { data: Float32Array.from(totals), dims: [heads] };
}

const readGradients = reader<NonNullable<GradientOptions["gradients"]>>(
  { mask: 1, alibi: 1, sinks: 1 },
  "{ mask?, alibi?, sinks? }",
);

export function checkWanted(
  operation: string,
  { gradients: given }: GradientOptions,
  scores: Scores,
) {
  if (given === undefined) return {};
  const gradients = readGradients(operation, given, "gradients");
  const { masks, scoring } = scores;
  const possible = {
    mask: masks.each.some(({ kind }) => kind === MaskKind.additive),
    alibi: scoring.alibi !== undefined,
    sinks: scoring.sinks !== undefined,
  };
  for (const name of ["mask", "alibi", "sinks"] as const) {
    const argument = `gradients.${name}`;
    checkBoolean(operation, argument, gradients[name]);
    if (gradients[name] && !possible[name]) {
      const what = name === "mask" ? "an additive mask" : `\`${name}\` to be given`;
      throw new ArgumentError(operation, argument, what, "true without");
    }
  }
  return gradients;
}

function checkState(operation: string, state: AttendState, shapes: Shapes): AttendState {
  if (typeof state !== "object" || state === null) {
    throw new ArgumentError(operation, "state", "{ output, logSumExp }", describe(state));
  }
  if (state.logSumExp === undefined) {
    const expected = "what attend returned with logSumExp: true";
    throw new ArgumentError(operation, "logSumExp", expected, "undefined");
  }
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

const readOut = reader<NonNullable<GradientOptions["out"]>>({ query: 1, key: 1, value: 1 });

function checkOuts(operation: string, options: GradientOptions, inputs: Inputs) {
  const { out: given, accumulate } = options;
  const out = checkAccumulate(operation, given, accumulate, "{ query?, key?, value? }", readOut);
  const target = (name: keyof Inputs) =>
    checkOut(operation, out[name], inputs[name].dims, `out.${name}`);
  return { query: target("query"), key: target("key"), value: target("value") };
}
