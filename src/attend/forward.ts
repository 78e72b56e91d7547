// One call of attend: check → stage → run → result. All that is checked is a copy, but for the elements.

import { CoreKernel, WeightsKind } from "../../assembly/kinds";
import { AttendFrame } from "../../build/frames";
import { checkInputs, checkLayout, checkShapes, type Inputs, type Shapes } from "../check/shapes";
import { checkBoolean } from "../check/values";
import { checkVisibility, type Visibility } from "../check/visibility";
import type { Engine } from "../instance/instance";
import { CORE, type Module } from "../instance/modules";
import { Staging } from "../run/staging";
import { type Steps, threadsFor, type Work } from "../run/steps";
import { elementsOf } from "../tensor/dims";
import { checkOut, type Tensor } from "../tensor/tensor";
import { checkScores, type Scores, type StagePages, stageCall, writeCall } from "./call";
import type { AttendOptions, AttendResult, Layout, ScoreOptions } from "./options";
import { changed } from "./strategy";

/** A call that can be made. */
export interface AttendCall {
  readonly operation: string;
  inputs: Inputs;
  readonly shapes: Shapes;
  readonly checked: Scores;
  readonly options: ScoreOptions;
  out: Tensor | undefined;
  /** Where keys and values lie instead of the inputs. */
  readonly pages?: StagePages | undefined;
  /** Bytes from the query to the key and to the value that are in one tensor with it. */
  readonly fused?: readonly [key: number, value: number];
  /** Of the module that attends instead of the core. */
  readonly kernel?: Pick<Work, "module" | "kernel"> | undefined;
  /** What is done to its tiles, where it is more than scoreMod. */
  readonly modify?: Engine["scoreMod"];
}

/** `options` as they were read. */
export function checkAttend(
  operation: string,
  query: Tensor,
  key: Tensor,
  value: Tensor,
  options: AttendOptions,
): AttendCall {
  const layout = checkLayout(operation, options.layout);
  const inputs = checkInputs(operation, query, key, value, layout);
  return checkAttendOf(operation, inputs, layout, options);
}

/** The same with inputs of which only the dims are looked at. */
export function checkAttendOf(
  operation: string,
  inputs: Inputs,
  layout: Layout,
  options: AttendOptions,
): AttendCall {
  const shapes = checkShapes(operation, inputs, layout, options);
  const visibility = checkVisibility(operation, shapes, options);
  return checkCall(operation, inputs, shapes, visibility, options);
}

/** The rest of it, once it is known what each sequence sees. */
export function checkCall(
  operation: string,
  inputs: Inputs,
  shapes: Shapes,
  visibility: Visibility,
  options: ScoreOptions,
): AttendCall {
  const checked = checkScores(operation, shapes, visibility, options);
  checkBoolean(operation, "logSumExp", options.logSumExp);
  const out = checkOut(operation, options.out, shapes.outputDims);
  return { operation, inputs, shapes, checked, options, out };
}

export const ATTEND = { module: CORE, kernel: CoreKernel.attend };

export function* callAttend(engine: Engine, given: AttendCall): Steps<AttendResult> {
  const call = changed(engine, given);
  const { operation, inputs, shapes, checked, options, out, pages, kernel = ATTEND } = call;
  const { frame } = engine;
  const module = engine.modules[kernel.module] as Module;
  const { scoring } = checked;
  const { scoreMod } = options;
  const modify = call.modify ?? (scoreMod && ((tile) => scoreMod(tile)));
  const { batch, heads, queries, keys } = shapes;
  const { scoresKind, weightsKind } = scoring;
  const words = writeCall(engine, shapes, checked);
  // JavaScript belongs to the calling thread, and a mean is added up over the heads.
  const alone = modify !== undefined || weightsKind === WeightsKind.mean;
  const threads = shareCall(engine, words, shapes, alone);
  words[AttendFrame.weightsKind] = weightsKind;
  words[AttendFrame.scoresKind] = scoresKind;
  words[AttendFrame.modified] = scoreMod ? 1 : 0;

  // It may throw half-way.
  const deferred = engine.concurrent || threads > 1 || modify !== undefined;
  const staging = new Staging(engine, operation, deferred);
  stageCall(staging, inputs, checked, pages);
  const output = staging.output(AttendFrame.output, shapes.outputDims, out);
  const matrices = weightsKind === WeightsKind.mean ? batch : batch * heads;
  const weights = weightsKind
    ? staging.reserve(AttendFrame.weights, matrices * queries * keys * 4)
    : undefined;
  const scores = scoresKind
    ? staging.reserve(AttendFrame.scores, batch * heads * queries * keys * 4)
    : undefined;
  const logSumExp = options.logSumExp
    ? staging.reserve(AttendFrame.logSumExp, elementsOf(shapes.logSumExpDims) * 4)
    : undefined;
  staging.reserve(AttendFrame.scratch, module.scratchBytes(kernel.kernel, frame));
  try {
    const address = yield* staging.beginSteps();
    const items = module.items(kernel.kernel, address);
    const around = modify && aroundOf(engine, modify);
    yield staging.work(kernel, items, threads, around);
    const { batchDims, logSumExpDims: rows } = shapes;
    const result: { -readonly [Name in keyof AttendResult]?: AttendResult[Name] | undefined } = {
      output: undefined,
    };
    if (weights && weightsKind === WeightsKind.mean) {
      result.weights = { data: yield* staging.copy(weights), dims: [...batchDims, queries, keys] };
    } else if (weights) {
      const probabilities = { data: yield* staging.copy(weights), dims: [...rows, keys] };
      if (options.weights) result.weights = probabilities;
      if (scoring.probabilities) result.scores = probabilities;
    }
    if (scores) result.scores = { data: yield* staging.copy(scores), dims: [...rows, keys] };
    if (logSumExp) result.logSumExp = { data: yield* staging.copy(logSumExp), dims: [...rows] };
    // Last, for an `out` to be written only by a call that succeeds.
    result.output = yield* staging.result(output);
    return result as AttendResult;
  } finally {
    staging.release();
  }
}

/** Writes by how many threads a call is run; gives their number. */
export function shareCall(
  engine: Engine,
  words: Int32Array,
  shapes: Shapes,
  alone: boolean,
): number {
  const { batch, heads, queries, keys, headSize, valueSize } = shapes;
  const multiplyAdds = batch * heads * queries * keys * (headSize + valueSize);
  const threads = alone ? 1 : threadsFor(engine, multiplyAdds);
  words[AttendFrame.threads] = threads;
  words[AttendFrame.packedHeads] = threads > 1 ? packedHeads(shapes) : 1;
  return threads;
}

/** Panels of so many bytes are packed before the threads turn to the rows. */
const PACKED_BYTES = 2 ** 24;

/** Key and value heads packed at a time: more than one, or threads would wait for each other. */
function packedHeads({ keys, headSize, valueSize }: Shapes): number {
  return Math.max(1, Math.floor(PACKED_BYTES / (keys * (headSize + valueSize) * 4)));
}

/** While a part runs, the call's scoreMod is the one the module calls. */
export function aroundOf(engine: Engine, scoreMod: Engine["scoreMod"]): Work["around"] {
  return (part) => {
    engine.scoreMod = scoreMod;
    try {
      return part();
    } finally {
      engine.scoreMod = undefined;
    }
  };
}
