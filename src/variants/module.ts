// Calls of the variants module: each is checked, staged and run alike.

import type { VariantsKernel } from "../../assembly/kinds";
import { clearedFrame, type Engine } from "../instance/instance";
import { type Module, moduleOf } from "../instance/modules";
import { type Output, Staging } from "../run/staging";
import { type Steps, threadsFor } from "../run/steps";
import type { Tensor } from "../tensor/tensor";

/** A word of a call's frame and what it says; see assembly/variants/frame.ts. */
export type Word = readonly [slot: number, value: number];

/** A call whose arguments are checked. */
export interface VariantCall {
  readonly operation: string;
  readonly kernel: VariantsKernel;
  /** Multiply-adds. */
  readonly cost: number;
  /** Where a frame of this kind has its threads and its scratch. */
  readonly threadsSlot: number;
  readonly scratchSlot: number;
  readonly words: readonly Word[];
  readonly floats?: readonly Word[];
  /** Notes the tensors that the call reads and writes. */
  stage(staging: Staging): readonly Output[];
  /** Once there is memory for them, before the kernel: fills what it does not. */
  fill?(engine: Engine): void;
}

/** The results that `stage` named. */
export function* variantSteps(engine: Engine, call: VariantCall): Steps<Tensor[]> {
  const { operation, kernel } = call;
  const number = moduleOf(engine, operation, "variants");
  const module = engine.modules[number] as Module;
  const threads = threadsFor(engine, call.cost);
  const words = clearedFrame(engine);
  words[call.threadsSlot] = threads;
  for (const [slot, value] of call.words) words[slot] = value;
  for (const [slot, value] of call.floats ?? []) engine.floats[slot] = value;
  const staging = new Staging(engine, operation, engine.concurrent || threads > 1);
  const outputs = call.stage(staging);
  staging.reserve(call.scratchSlot, module.scratchBytes(kernel, engine.frame));
  try {
    const frame = yield* staging.beginSteps();
    call.fill?.(engine);
    const items = module.items(kernel, frame);
    yield staging.work({ module: number, kernel }, items, threads);
    return yield* staging.results(outputs);
  } finally {
    staging.release();
  }
}
