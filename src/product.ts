// y [rows × columns] = x [rows × depth] · W + bias on the engine: packing W, and the product.

import { Slot } from "../assembly/frame";
import { Kernel } from "./engine/control";
import { type Engine, frameWords } from "./engine/load";
import { Staging } from "./engine/staging";
import { type Steps, threadsFor } from "./engine/work";
import type { Tensor } from "./tensor";

export type Order = "out,in" | "in,out";

/** The left side and the sizes. */
export interface Product {
  /** What it is called in messages. */
  readonly name: string;
  readonly x: Tensor;
  readonly rows: number;
  readonly depth: number;
  readonly columns: number;
  /** Whether x is stored [depth × rows]. */
  readonly turned?: boolean;
}

/** Where a result goes. */
export interface Target {
  readonly dims: readonly number[];
  readonly out: Float32Array | Tensor | undefined;
  readonly argument: string;
  /** Whether it is added to what is in `out`. */
  readonly added?: boolean;
}

/** A block for a packed W [depth × columns] with its bias. */
export function allocatePacked(
  engine: Engine,
  operation: string,
  depth: number,
  columns: number,
): number {
  const words = frameWords(engine);
  words[Slot.depth] = depth;
  words[Slot.columns] = columns;
  return engine.arena.allocate(operation, engine.kernels.packedLinearBytes(engine.frame));
}

/** The right side: W [depth × columns], or in order "out,in" [columns × depth]. */
export interface Weight {
  readonly weight: Tensor;
  readonly order: Order;
  readonly depth: number;
  readonly columns: number;
  readonly bias?: Tensor | undefined;
}

/** Packs W and a bias into the block `packed`. */
export function pack(
  engine: Engine,
  operation: string,
  packed: number,
  { weight, order, depth, columns, bias }: Weight,
): void {
  const words = frameWords(engine);
  words[Slot.depth] = depth;
  words[Slot.columns] = columns;
  words[Slot.outputIsRow] = order === "out,in" ? 1 : 0;
  const staging = new Staging(engine, operation);
  staging.block(Slot.packed, packed);
  staging.tensor(Slot.weight, "weight", weight);
  if (bias) staging.tensor(Slot.bias, "bias", bias);
  try {
    engine.kernels.packLinear(staging.begin());
  } finally {
    staging.release();
  }
}

/** x · W + bias with the W of block `packed`. */
export function* multiply(
  engine: Engine,
  operation: string,
  { name, x, rows, depth, columns, turned }: Product,
  packed: number,
  { dims, out, argument, added }: Target,
): Steps<Tensor> {
  const { frame, kernels } = engine;
  const words = frameWords(engine);
  const threads = threadsFor(engine, rows * depth * columns);
  words[Slot.threads] = threads;
  words[Slot.rows] = rows;
  words[Slot.depth] = depth;
  words[Slot.columns] = columns;
  words[Slot.inputTurned] = turned ? 1 : 0;
  const staging = new Staging(engine, operation, engine.shared || threads > 1);
  staging.block(Slot.packed, packed);
  staging.tensor(Slot.input, name, x);
  const result = staging.output(Slot.result, dims, out, argument, added);
  staging.room(Slot.scratch, kernels.linearScratchBytes(frame));
  try {
    const call = yield* staging.place();
    yield staging.work({ kernel: Kernel.linear, items: kernels.linearItems(call), threads });
    return yield* staging.take(result, dims);
  } finally {
    staging.release();
  }
}
