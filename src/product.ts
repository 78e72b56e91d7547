// y [rows × columns] = x [rows × depth] · W + bias on the engine: packing W, and the product.

import { CoreKernel } from "../assembly/kinds";
import { LinearFrame } from "../build/frames";
import { type Engine, frameWords } from "./engine/load";
import { CORE } from "./engine/modules";
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
  readonly transposed?: boolean;
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
  words[LinearFrame.depth] = depth;
  words[LinearFrame.columns] = columns;
  return engine.arena.allocate(operation, engine.modules[CORE].packedLinearBytes(engine.frame));
}

/** The right side: W [depth × columns], or in order "out,in" [columns × depth]. */
export interface Weight {
  readonly weight: Tensor;
  readonly order: Order;
  readonly depth: number;
  readonly columns: number;
  readonly bias?: Float32Array | undefined;
}

/** Packs W and a bias into the block `packed`. */
export function pack(
  engine: Engine,
  operation: string,
  packed: number,
  { weight, order, depth, columns, bias }: Weight,
): void {
  const words = frameWords(engine);
  words[LinearFrame.depth] = depth;
  words[LinearFrame.columns] = columns;
  words[LinearFrame.outputIsRow] = order === "out,in" ? 1 : 0;
  const staging = new Staging(engine, operation);
  staging.block(LinearFrame.packed, packed);
  staging.tensor(LinearFrame.weight, "weight", weight);
  if (bias) staging.data(LinearFrame.bias, bias);
  try {
    engine.modules[CORE].run(CoreKernel.packLinear, staging.begin(), 0, 0, 0);
  } finally {
    staging.release();
  }
}

/** x · W + bias with the W of block `packed`. */
export function* multiply(
  engine: Engine,
  operation: string,
  { name, x, rows, depth, columns, transposed }: Product,
  packed: number,
  { dims, out, argument, added }: Target,
): Steps<Tensor> {
  const { frame } = engine;
  const [core] = engine.modules;
  const words = frameWords(engine);
  const threads = threadsFor(engine, rows * depth * columns);
  words[LinearFrame.threads] = threads;
  words[LinearFrame.rows] = rows;
  words[LinearFrame.depth] = depth;
  words[LinearFrame.columns] = columns;
  words[LinearFrame.inputTransposed] = transposed ? 1 : 0;
  const staging = new Staging(engine, operation, engine.shared || threads > 1);
  staging.block(LinearFrame.packed, packed);
  staging.tensor(LinearFrame.input, name, x);
  const result = staging.output(LinearFrame.result, dims, out, argument, added);
  staging.room(LinearFrame.scratch, core.scratchBytes(CoreKernel.linear, frame));
  try {
    const call = yield* staging.place();
    const items = core.items(CoreKernel.linear, call);
    yield staging.work({ module: CORE, kernel: CoreKernel.linear, items, threads });
    return yield* staging.take(result, dims);
  } finally {
    staging.release();
  }
}
