// Gradients of attend: check → stage → run → result, as in attend/forward.ts.

import { TrainingKernel } from "../../assembly/kinds";
import { BackwardFrame } from "../../build/frames";
import { type Attention, checkAttention } from "../attend/attention";
import { stageCall, writeCall } from "../attend/call";
import { type AttendCall, aroundOf, checkAttend } from "../attend/forward";
import type { Abortable } from "../attend/options";
import { strategyIn } from "../attend/strategy";
import { reader } from "../check/names";
import type { Inputs } from "../check/shapes";
import { checkAccumulate } from "../check/values";
import type { Engine } from "../instance/instance";
import { type Module, moduleOf } from "../instance/modules";
import { Staging } from "../run/staging";
import { type Steps, threadsFor } from "../run/steps";
import { checkOut, type Tensor } from "../tensor/tensor";
import {
  biasGradients,
  checkWanted,
  clearBiases,
  inSeries,
  overBatches,
  stageBiases,
} from "./bias";
import { checkGiven, GIVEN, type PassedBack } from "./given";
import { checkModified, modifyOf } from "./modified";
import {
  type AttendGradients,
  type AttendPass,
  type BackwardOptions,
  type GradientOptions,
  type Normalized,
  type NormalizedPass,
  readBackward,
  readBackwardAsync,
  readPass,
} from "./options";
import { stageGradients } from "./outputs";

/**
 * Gradients of `attend`'s inputs (Dao 2023, "FlashAttention-2": weights are made anew from
 * logSumExp, memory grows with L + S). `pass` holds the inputs of `attend`, the output and logSumExp it
 * gave with `logSumExp: true`, and the gradient of the output; the options are those it was called with.
 *
 * Gradients have the dims of their tensors; heads that share a key and value head are summed. On
 * request (`gradients`) those of additive masks, of ALiBi's slopes and of the sinks come too. A
 * row that saw no key has gradient 0. A `normalizer` has gradients of its own, for which neither output nor logSumExp
 * are needed. Of parts that were merged, each pass takes the merged output and logSumExp.
 *
 * @throws ArgumentError, MemoryError, DisposedError as `attend`; for a `scoreMod` without `scoreModGradient`.
 */
export function attendBackward(
  attention: Attention<"training">,
  pass: AttendPass,
  options?: BackwardOptions,
): AttendGradients;
/** Of a pass with a `normalizer`. */
export function attendBackward(
  attention: Attention<"training">,
  pass: NormalizedPass,
  options: BackwardOptions & Normalized,
): AttendGradients;
export function attendBackward(
  attention: Attention<"training">,
  pass: AttendPass | NormalizedPass,
  options: BackwardOptions = {},
): AttendGradients {
  const name = "attendBackward";
  return checkAttention(name, attention).run(name, (engine) => {
    const read = readBackward(name, options);
    const { call, given } = checkPass(name, pass, read);
    return callBackward(engine, call, given, read);
  });
}

/** `attendBackward` without holding the calling thread; see `attendAsync`. */
export function attendBackwardAsync(
  attention: Attention<"training">,
  pass: AttendPass,
  options?: BackwardOptions & Abortable,
): Promise<AttendGradients>;
/** Of a pass with a `normalizer`. */
export function attendBackwardAsync(
  attention: Attention<"training">,
  pass: NormalizedPass,
  options: BackwardOptions & Normalized & Abortable,
): Promise<AttendGradients>;
export function attendBackwardAsync(
  attention: Attention<"training">,
  pass: AttendPass | NormalizedPass,
  options: BackwardOptions & Abortable = {},
): Promise<AttendGradients> {
  const name = "attendBackwardAsync";
  return checkAttention(name, attention).runAsync(name, () => {
    const { signal, ...read } = readBackwardAsync(name, options);
    const { call, given } = checkPass(name, pass, read);
    const checked = checkGiven(call, given);
    return { signal, steps: (engine) => callBackward(engine, call, checked, read) };
  });
}

function checkPass(
  operation: string,
  pass: AttendPass | NormalizedPass,
  options: BackwardOptions,
): { call: AttendCall; given: AttendPass } {
  const given = readPass(operation, pass as AttendPass, "pass");
  const forward = { ...options, out: undefined };
  return { call: checkAttend(operation, given.query, given.key, given.value, forward), given };
}

/**
 * `call` is the forward pass that the gradients go back through; of one whose inputs are in one tensor there is the
 * query's gradient alone, which is that of all.
 */
export function* callBackward(
  engine: Engine,
  call: AttendCall,
  passed: PassedBack,
  options: GradientOptions,
): Steps<AttendGradients> {
  const own = strategyIn(call, "normalizer")?.backward;
  if (own) return yield* own(engine, call, passed, options);
  const { operation, inputs, shapes, checked } = call;
  const wanted = checkWanted(operation, options, checked);
  const given = checkGiven(call, passed);
  const modifications = { ...options, scoreMod: call.options.scoreMod };
  checkModified(operation, modifications);
  const modify = modifyOf(modifications);
  const out = checkOuts(operation, options, inputs);

  const { frame } = engine;
  const number = moduleOf(engine, operation, "training");
  const module = engine.modules[number] as Module;
  const { batch, heads, queries, keys, headSize, valueSize } = shapes;
  const words = writeCall(engine, shapes, checked);
  const multiplyAdds = batch * heads * queries * keys * (3 * headSize + 2 * valueSize);
  const serial = wanted.mask && inSeries(shapes, checked);
  // JavaScript belongs to the calling thread.
  const threads = serial || modify ? 1 : threadsFor(engine, multiplyAdds);
  words[BackwardFrame.threads] = threads;
  words[BackwardFrame.modified] = modify ? 1 : 0;
  // A function may throw half-way.
  const deferred = engine.concurrent || threads > 1 || modify !== undefined;
  const staging = new Staging(engine, operation, deferred);
  stageCall(staging, inputs, checked, call.pages);
  for (const [name, slot] of GIVEN) {
    const tensor = given[name];
    if (tensor) staging.tensor(slot, name, tensor);
  }
  const slots = [
    BackwardFrame.queryGradient,
    BackwardFrame.keyGradient,
    BackwardFrame.valueGradient,
  ] as const;
  const outputs = stageGradients(staging, call, slots, out, options.accumulate === true);
  const biases = stageBiases(staging, call, wanted);
  const sinksRegion =
    wanted.sinks && staging.reserve(BackwardFrame.sinksGradient, batch * heads * 4);
  staging.reserve(BackwardFrame.scratch, module.scratchBytes(TrainingKernel.backward, frame));
  try {
    const address = yield* staging.beginSteps();
    clearBiases(engine, biases);
    const kernel = TrainingKernel.backward;
    const items = module.items(kernel, address);
    const around = modify && aroundOf(engine, modify);
    yield staging.work({ module: number, kernel }, items, threads, around);
    const asked: Partial<AttendGradients> = yield* biasGradients(staging, call, biases);
    if (sinksRegion) asked.sinksGradient = overBatches(yield* staging.copy(sinksRegion), heads);
    const [queryGradient, keyGradient, valueGradient] = (yield* staging.results(outputs)) as [
      Tensor,
      Tensor,
      Tensor,
    ];
    return { queryGradient, keyGradient, valueGradient, ...asked };
  } finally {
    staging.release();
  }
}

const readOut = reader<NonNullable<GradientOptions["out"]>>({ query: 1, key: 1, value: 1 });

function checkOuts(operation: string, options: GradientOptions, inputs: Inputs) {
  const { out: given, accumulate } = options;
  const out = checkAccumulate(operation, given, accumulate, "{ query?, key?, value? }", readOut);
  const target = (name: keyof Inputs) =>
    checkOut(operation, out[name], inputs[name].dims, `out.${name}`);
  return { query: target("query"), key: target("key"), value: target("value") };
}
