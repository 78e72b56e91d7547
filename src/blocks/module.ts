// Calls of the blocks module: each is checked, staged and run alike.

import type { BlocksKernel } from "../../assembly/kinds";
import { BlockFrame } from "../../build/frames";
import { clearedFrame, type Engine } from "../instance/instance";
import { type Module, moduleOf } from "../instance/modules";
import { type Output, Staging } from "../run/staging";
import { type Steps, threadsFor } from "../run/steps";
import type { Tensor } from "../tensor/tensor";

/** A call whose arguments are checked; see assembly/blocks/frame.ts. */
export interface BlockCall {
  readonly operation: string;
  readonly kernel: BlocksKernel;
  readonly rows: number;
  readonly columns: number;
  /** What one element costs, in multiply-adds. */
  readonly cost: number;
  /** Words of the frame besides those; numbers of float32 by `floats`. */
  readonly words?: readonly (readonly [slot: number, value: number])[];
  readonly floats?: readonly (readonly [slot: number, value: number])[];
  /** Whether the kernel wants scratch. */
  readonly scratch?: boolean;
  /** Notes the tensors that the call reads and writes. */
  stage(staging: Staging): readonly Output[];
}

/** @throws ArgumentError where the engine was made without it. */
export function blocksOf(engine: Engine, operation: string): Module {
  return engine.modules[moduleOf(engine, operation, "blocks")] as Module;
}

/** The results that `stage` named. */
export function* blockSteps(engine: Engine, call: BlockCall): Steps<Tensor[]> {
  const { operation, kernel, rows, columns } = call;
  const module = blocksOf(engine, operation);
  const threads = threadsFor(engine, rows * columns * call.cost);
  const staging = new Staging(engine, operation, engine.concurrent || threads > 1);
  const outputs = call.stage(staging);
  const words = clearedFrame(engine);
  words[BlockFrame.threads] = threads;
  words[BlockFrame.rows] = rows;
  words[BlockFrame.columns] = columns;
  for (const [slot, value] of call.words ?? []) words[slot] = value;
  for (const [slot, value] of call.floats ?? []) engine.floats[slot] = value;
  if (call.scratch) {
    staging.reserve(BlockFrame.scratch, module.scratchBytes(kernel, engine.frame));
  }
  try {
    const frame = yield* staging.beginSteps();
    const items = module.items(kernel, frame);
    const number = moduleOf(engine, operation, "blocks");
    yield staging.work({ module: number, kernel }, items, threads);
    return yield* staging.results(outputs);
  } finally {
    staging.release();
  }
}
