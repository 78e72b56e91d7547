// Gradients of y = x·W + bias:  dx = dy · Wᵀ    dW = xᵀ · dy    dbias = Σ dy over the rows.

import { Slot } from "../assembly/frame";
import { checkAccumulate, checkBoolean } from "./checks";
import { type Engine, frameWords } from "./engine/load";
import { type Output, Staging } from "./engine/staging";
import type { Steps } from "./engine/work";
import { ArgumentError, describe } from "./errors";
import { reader } from "./option-names";
import {
  allocatePacked,
  multiplyIn,
  type Order,
  type Product,
  packing,
  type Target,
} from "./product";
import { checkDimsOf, checkOut, checkTensor, elementsOf, type Tensor } from "./tensor";

/** Options of `linearBackward`. */
export interface LinearBackwardOptions {
  /** Gradients wanted besides those of weight and bias. */
  gradients?:
    | {
        /** Of x; true by default. The first layer of a model may leave it out. */
        readonly input?: boolean | undefined;
      }
    | undefined;
  /** Where to write the gradients: as many elements as they have. */
  out?:
    | {
        /** Of x. */
        readonly input?: Float32Array | Tensor | undefined;
        /** Of the weight. */
        readonly weight?: Float32Array | Tensor | undefined;
        /** Of the bias. */
        readonly bias?: Float32Array | Tensor | undefined;
      }
    | undefined;
  /** Whether to add the gradients to what is in `out`. */
  accumulate?: boolean | undefined;
}

/** What `linearBackward` returns. */
export interface LinearGradients {
  /** In the dims of x. */
  inputGradient?: Tensor;
  /** In the dims and the order of the weight. */
  weightGradient: Tensor;
  /** [out], where there is a bias. */
  biasGradient?: Tensor;
}

/** A prepared weight, and what only it knows of itself. */
export interface Prepared {
  readonly inputSize: number;
  readonly outputSize: number;
  readonly biased: boolean;
  readonly order: Order;
  /** Its block; throws unless it is in use. */
  packed(): number;
}

export const readLinearBackward = reader<LinearBackwardOptions>({
  gradients: 1,
  out: 1,
  accumulate: 1,
});

/** `options` as they were read. */
export function* linearBackward(
  engine: Engine,
  operation: string,
  outputGradient: Tensor,
  x: Tensor,
  prepared: Prepared,
  options: LinearBackwardOptions,
): Steps<LinearGradients> {
  const { order, inputSize, outputSize, biased } = prepared;
  prepared.packed();
  const input = checkTensor(operation, "x", x);
  if (input.dims.at(-1) !== inputSize) {
    const expected = `[…, in] with in = ${inputSize}`;
    throw new ArgumentError(operation, "x.dims", expected, describe(input.dims));
  }
  const gradient = checkTensor(operation, "outputGradient", outputGradient);
  checkDimsOf(operation, "outputGradient", gradient, [...input.dims.slice(0, -1), outputSize]);
  const [height, columns] = order === "out,in" ? [outputSize, inputSize] : [inputSize, outputSize];
  const dims = { input: input.dims, weight: [height, columns], bias: [outputSize] };
  const { wanted, targets } = checkTargets(operation, options, dims, biased);

  const rows = elementsOf(input.dims.slice(0, -1));
  // Both are brought in once, and no result leaves before all are there: an `out` may be an input.
  const inputs = new Staging(engine, operation);
  const placed = {
    x: inputs.tensor(undefined, "x", input),
    dy: inputs.tensor(undefined, "outputGradient", gradient),
  };
  const stagings = [inputs];
  const stage = () => {
    const staging = new Staging(engine, operation, true);
    stagings.push(staging);
    return staging;
  };
  try {
    inputs.begin();
    const [x, dy] = [placed.x.address, placed.dy.address];
    // [in, out] is xᵀ · dy, [out, in] is dyᵀ · x.
    const [left, right] = order === "in,out" ? [x, dy] : [dy, x];
    const results = [
      yield* withPacked(
        engine,
        operation,
        stage(),
        { name: "x", x: left, rows: height, depth: rows, columns, turned: true },
        (packed) =>
          packing(engine, operation, packed, {
            weight: right,
            order: "in,out",
            depth: rows,
            columns,
          }).pack(),
        targets.weight,
      ),
    ];
    if (wanted) {
      const product = {
        name: "outputGradient",
        x: dy,
        rows,
        depth: outputSize,
        columns: inputSize,
      };
      const fill = (packed: number) => turn(engine, operation, prepared, packed);
      results.push(yield* withPacked(engine, operation, stage(), product, fill, targets.input));
    }
    if (biased) results.push(yield* sumRows(engine, stage(), dy, rows, targets.bias));
    const [weightGradient, ...others] = yield* inputs.takeAll(results);
    const inputGradient = wanted ? others.shift() : undefined;
    const [biasGradient] = others;
    return {
      ...(inputGradient && { inputGradient }),
      ...(biasGradient && { biasGradient }),
      weightGradient: weightGradient as Tensor,
    };
  } finally {
    for (const staging of stagings) staging.release();
  }
}

/** A product with a W that `fill` packs, and that goes with it. */
function* withPacked(
  engine: Engine,
  operation: string,
  staging: Staging,
  product: Product,
  fill: (packed: number) => void,
  target: Target,
): Steps<Output> {
  const packed = allocatePacked(engine, operation, product.depth, product.columns);
  try {
    fill(packed);
    return yield* multiplyIn(engine, staging, product, packed, target);
  } finally {
    engine.arena.release(packed);
  }
}

/** Packs the transpose of a packed weight. */
function turn(engine: Engine, operation: string, prepared: Prepared, packed: number): void {
  const words = frameWords(engine);
  words[Slot.depth] = prepared.inputSize;
  words[Slot.columns] = prepared.outputSize;
  const staging = new Staging(engine, operation);
  staging.block(Slot.packed, prepared.packed());
  staging.block(Slot.result, packed);
  try {
    engine.kernels.turnPacked(staging.begin());
  } finally {
    staging.release();
  }
}

/** [rows × columns] at address `x` summed to [columns]. */
function* sumRows(
  engine: Engine,
  staging: Staging,
  x: number,
  rows: number,
  { dims, out, argument, added }: Target,
): Steps<Output> {
  const words = frameWords(engine);
  words[Slot.rows] = rows;
  words[Slot.columns] = elementsOf(dims);
  staging.block(Slot.input, x);
  const result = staging.output(Slot.result, dims, out, argument, added);
  engine.kernels.sumRows(yield* staging.place());
  return result;
}

const readOut = reader<NonNullable<LinearBackwardOptions["out"]>>({ input: 1, weight: 1, bias: 1 });

const readGradients = reader<NonNullable<LinearBackwardOptions["gradients"]>>({ input: 1 });

/** Where gradients go, and whether that of the input is wanted. */
function checkTargets(
  operation: string,
  { out: given, accumulate, gradients }: LinearBackwardOptions,
  dims: Record<"input" | "weight" | "bias", readonly number[]>,
  biased: boolean,
): { targets: Record<"input" | "weight" | "bias", Target>; wanted: boolean } {
  const out = checkAccumulate(operation, given, accumulate, "{ input?, weight?, bias? }", readOut);
  const { input } = gradients === undefined ? {} : readGradients(operation, gradients, "gradients");
  checkBoolean(operation, "gradients.input", input);
  const target = (name: "input" | "weight" | "bias"): Target => {
    const argument = `out.${name}`;
    if (name === "bias" && out.bias !== undefined && !biased) {
      throw new ArgumentError(operation, argument, "no value without a bias", describe(out.bias));
    }
    const checked = checkOut(operation, out[name], dims[name], argument);
    return { dims: dims[name], out: checked, argument, added: accumulate === true };
  };
  const targets = { input: target("input"), weight: target("weight"), bias: target("bias") };
  return { targets, wanted: input !== false };
}
