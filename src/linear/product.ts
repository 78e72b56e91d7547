// y [rows × columns] = x [rows × depth] · W + bias on the engine: packing W, and the product.

import { CoreKernel } from "../../assembly/kinds";
import { LinearFrame } from "../../build/frames";
import { clearedFrame, type Engine } from "../instance/instance";
import { CORE, type Module, moduleOf } from "../instance/modules";
import { type Output, Staging } from "../run/staging";
import { type Steps, threadsFor } from "../run/steps";
import type { Tensor } from "../tensor/tensor";

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
  readonly transposed?: boolean;
}

/** A weight that another module multiplies, in a frame that begins as linear's: see quantized/. */
export interface Form {
  readonly extension: string;
  readonly kernel: number;
  /** What its frame has besides. */
  readonly words: readonly (readonly [slot: number, value: number])[];
  /** What the numbers are, for messages and `toJSON`. */
  readonly numbers: string;
}

/** A packed weight's block; in another form than `packing` leaves it, that form. */
export interface Packed {
  readonly address: number;
  readonly form?: Form | undefined;
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
  const words = clearedFrame(engine);
  words[LinearFrame.depth] = depth;
  words[LinearFrame.columns] = columns;
  return engine.arena.allocate(operation, engine.modules[CORE].packedLinearBytes(engine.frame));
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
  /** Memory that `pack` needs while it runs; once it is there, nothing can fail. */
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
  staging.block(LinearFrame.packed, packed);
  staging.tensor(LinearFrame.weight, "weight", weight);
  if (bias) staging.tensor(LinearFrame.bias, "bias", bias);
  const pack = () => {
    const words = clearedFrame(engine);
    words[LinearFrame.depth] = depth;
    words[LinearFrame.columns] = columns;
    words[LinearFrame.outputIsRow] = order === "out,in" ? 1 : 0;
    try {
      engine.modules[CORE].run(CoreKernel.packLinear, staging.begin(), 0, 0, 0);
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
  packed: Packed,
  target: Target,
): Steps<Tensor> {
  const { rows, depth, columns } = product;
  const threads = threadsFor(engine, rows * depth * columns);
  const staging = new Staging(engine, operation, engine.concurrent || threads > 1);
  try {
    const result = yield* multiplyIn(engine, staging, product, packed, target);
    return yield* staging.result(result);
  } finally {
    staging.release();
  }
}

/** The same, with the result left in `staging`. */
export function* multiplyIn(
  engine: Engine,
  staging: Staging,
  { name, x, rows, depth, columns, transposed }: Product,
  { address, form }: Packed,
  { dims, out, argument, added }: Target,
): Steps<Output> {
  const { frame } = engine;
  const number = form ? moduleOf(engine, staging.operation, form.extension) : CORE;
  const module = engine.modules[number] as Module;
  const kernel = form?.kernel ?? CoreKernel.linear;
  const words = clearedFrame(engine);
  for (const [slot, value] of form?.words ?? []) words[slot] = value;
  const threads = threadsFor(engine, rows * depth * columns);
  words[LinearFrame.threads] = threads;
  words[LinearFrame.rows] = rows;
  words[LinearFrame.depth] = depth;
  words[LinearFrame.columns] = columns;
  words[LinearFrame.inputTransposed] = transposed ? 1 : 0;
  staging.block(LinearFrame.packed, address);
  staging.tensor(LinearFrame.input, name, x);
  const result = staging.output(LinearFrame.result, dims, out, argument, added);
  staging.reserve(LinearFrame.scratch, module.scratchBytes(kernel, frame));
  const call = yield* staging.beginSteps();
  yield staging.work({ module: number, kernel }, module.items(kernel, call), threads);
  return result;
}
