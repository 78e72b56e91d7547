// Results of attend over disjoint sets of keys, made into one.

import { CoreKernel } from "../../assembly/kinds";
import { MergeFrame } from "../../build/frames";
import { copyOf } from "../arrays";
import { reader } from "../check/names";
import { checkHeads, checkLayout, viewOf } from "../check/shapes";
import { ArgumentError, describe } from "../errors";
import { clearedFrame, type Engine } from "../instance/instance";
import { CORE } from "../instance/modules";
import { Staging } from "../run/staging";
import type { Steps } from "../run/steps";
import { elementsOf } from "../tensor/dims";
import { checkDimsOf, checkOut, checkTensor, type Tensor } from "../tensor/tensor";
import { type Attention, checkAttention } from "./attention";
import type { AttendState, Layout } from "./options";

/** Options of `mergeStates`. */
export interface MergeOptions {
  /** Of the outputs; `"BHLD"` by default. */
  layout?: Layout | undefined;
  /** Heads; for layout `"BLE"` only, where it is required. */
  heads?: number | undefined;
  /** Where to write the output: as many elements as it has. It may overlap any part. */
  out?: Float32Array | Tensor | undefined;
}

const readMerge = reader<MergeOptions>({ layout: 1, heads: 1, out: 1 });

/**
 * Results of `attend` over disjoint sets of keys, made into the result over their union. Parts
 * that saw nothing (logSumExp −Infinity) weigh nothing. All in one layout; logSumExp [B, H, L].
 *
 * @throws ArgumentError, MemoryError, DisposedError as `attend`.
 */
export function mergeStates(
  attention: Attention,
  parts: readonly AttendState[],
  options: MergeOptions = {},
): AttendState {
  const name = "mergeStates";
  return checkAttention(name, attention).run(name, (engine) =>
    mergeSteps(engine, name, parts, readMerge(name, options)),
  );
}

/** `options` as they were read. */
export function* mergeSteps(
  engine: Engine,
  operation: string,
  parts: readonly AttendState[],
  options: MergeOptions,
): Steps<AttendState> {
  const layout = checkLayout(operation, options.layout);
  const [heads] = checkHeads(operation, layout, { heads: options.heads });
  const count = Array.isArray(parts) ? parts.length : 0;
  if (count === 0) {
    throw new ArgumentError(operation, "parts", "an array of at least one part", describe(parts));
  }
  const checked = copyOf<AttendState>(parts, count).map((part, index) => ({
    output: checkTensor(operation, `parts[${index}].output`, part?.output),
    logSumExp: checkTensor(operation, `parts[${index}].logSumExp`, part?.logSumExp),
  }));
  const outputDims = (checked[0] as AttendState).output.dims;
  const view = viewOf(operation, "parts[0].output", layout, outputDims, heads);
  const stateDims = [...view.batchDims, ...view.headDims, view.rows];
  for (const [index, part] of checked.entries()) {
    checkDimsOf(operation, `parts[${index}].output`, part.output, outputDims);
    checkDimsOf(operation, `parts[${index}].logSumExp`, part.logSumExp, stateDims);
  }
  const out = checkOut(operation, options.out, outputDims);

  const { arena } = engine;
  const words = clearedFrame(engine);
  const { batch, head, row } = view.strides;
  words[MergeFrame.batch] = view.batch;
  words[MergeFrame.heads] = view.heads;
  words[MergeFrame.queries] = view.rows;
  words[MergeFrame.valueSize] = view.size;
  words.set([batch, head, row], MergeFrame.outputBatch);
  words[MergeFrame.partCount] = checked.length;

  const staging = new Staging(engine, operation);
  const regions = checked.flatMap(({ output, logSumExp }, index) => [
    staging.tensor(undefined, `parts[${index}].output`, output),
    staging.tensor(undefined, `parts[${index}].logSumExp`, logSumExp),
  ]);
  const table = staging.reserve(MergeFrame.parts, regions.length * 4);
  const result = staging.output(MergeFrame.output, outputDims, out);
  const merged = staging.reserve(MergeFrame.logSumExp, elementsOf(stateDims) * 4);
  try {
    const call = staging.begin();
    arena.words.set(
      regions.map((region) => region.address),
      table.address / 4,
    );
    engine.modules[CORE].run(CoreKernel.mergeStates, call, 0, 0, 0);
    return {
      logSumExp: { data: yield* staging.copy(merged), dims: stateDims },
      output: yield* staging.result(result),
    };
  } finally {
    staging.release();
  }
}
