// y [rows × columns] = x [rows × depth] · W + bias on the engine: packing W, and the product.

import { Slot } from "../assembly/frame";
import { Kernel } from "./engine/control";
import { type Engine, frameWords } from "./engine/load";
import { type Output, Staging } from "./engine/staging";
import { type Steps, threadsFor } from "./engine/work";
import type { Tensor } from "./tensor";

export type Order = "out,in" | "in,out";

/** The left side and the sizes. */
export interface Product {
  /** What it is called in messages. */
  readonly name: string;
  /** Checked, or its address in linear memory. */
  readonly x: Tensor | number;
  readonly rows: number;
  readonly depth: number;
  readonly columns: number;
  /** Whether x is stored [depth × rows]. */
  readonly turned?: boolean;
}

/** Where a result goes, checked. */
export interface Target {
  readonly dims: readonly number[];
  readonly out: Tensor | undefined;
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
  /** Checked, or its address in linear memory. */
  readonly weight: Tensor | number;
  readonly order: Order;
  readonly depth: number;
  readonly columns: number;
  readonly bias?: Tensor | undefined;
}

/** W and a bias on their way into a block. */
export interface Packing {
  /** Room that `pack` takes for as long as it runs; with it given, nothing can fail. */
  readonly bytes: number;
  pack(): void;
}

/** Packs W and a bias into the block `packed`. */
export function packing(
  engine: Engine,
  operation: string,
  packed: number,
  { weight, order, depth, columns, bias }: Weight,
): Packing {
  const staging = new Staging(engine, operation);
  staging.block(Slot.packed, packed);
  staging.tensor(Slot.weight, "weight", weight);
  if (bias) staging.tensor(Slot.bias, "bias", bias);
  const pack = () => {
    const words = frameWords(engine);
    words[Slot.depth] = depth;
    words[Slot.columns] = columns;
    words[Slot.outputIsRow] = order === "out,in" ? 1 : 0;
    try {
      engine.kernels.packLinear(staging.begin());
    } finally {
      staging.release();
    }
  };
  return { bytes: staging.bytes, pack };
}

/** x · W + bias with the W of block `packed`. */
export function* multiply(
  engine: Engine,
  operation: string,
  product: Product,
  packed: number,
  target: Target,
): Steps<Tensor> {
  const { rows, depth, columns } = product;
  const threads = threadsFor(engine, rows * depth * columns);
  const staging = new Staging(engine, operation, engine.shared || threads > 1);
  try {
    const result = yield* multiplyIn(engine, staging, product, packed, target);
    return yield* staging.take(result);
  } finally {
    staging.release();
  }
}

/** The same, with the result in `staging` until it is taken. */
export function* multiplyIn(
  engine: Engine,
  staging: Staging,
  { name, x, rows, depth, columns, turned }: Product,
  packed: number,
  { dims, out, argument, added }: Target,
): Steps<Output> {
  const { frame, kernels } = engine;
  const words = frameWords(engine);
  const threads = threadsFor(engine, rows * depth * columns);
  words[Slot.threads] = threads;
  words[Slot.rows] = rows;
  words[Slot.depth] = depth;
  words[Slot.columns] = columns;
  words[Slot.inputTurned] = turned ? 1 : 0;
  staging.block(Slot.packed, packed);
  staging.tensor(Slot.input, name, x);
  const result = staging.output(Slot.result, dims, out, argument, added);
  staging.room(Slot.scratch, kernels.linearScratchBytes(frame));
  const call = yield* staging.place();
  yield staging.work({ kernel: Kernel.linear, items: kernels.linearItems(call), threads });
  return result;
}
