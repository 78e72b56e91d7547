// Gradients of y = x·W + bias:  dx = dy · Wᵀ    dW = xᵀ · dy    dbias = Σ dy over the rows.

import { TrainingKernel } from "../assembly/kinds";
import { LinearFrame } from "../build/frames";
import { checkAccumulate, checkBoolean, checkOptions } from "./checks";
import { type Engine, frameWords } from "./engine/load";
import { TRAINING } from "./engine/modules";
import { Staging } from "./engine/staging";
import type { Steps } from "./engine/work";
import { ArgumentError, describe } from "./errors";
import type { PreparedLinear } from "./linear";
import { allocatePacked, multiply, type Order, type Product, pack, type Target } from "./product";
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
  readonly linear: PreparedLinear;
  readonly order: Order;
  readonly packed: number;
}

export function* linearBackward(
  engine: Engine,
  operation: string,
  outputGradient: Tensor,
  x: Tensor,
  prepared: Prepared,
  options: LinearBackwardOptions,
): Steps<LinearGradients> {
  checkOptions(operation, options);
  const { linear, order } = prepared;
  const { inputSize, outputSize, weightDims, biasDims } = linear;
  const input = checkTensor(operation, "x", x);
  if (input.dims.at(-1) !== inputSize) {
    const expected = `[…, in] with in = ${inputSize}`;
    throw new ArgumentError(operation, "x.dims", expected, describe(input.dims));
  }
  const gradient = checkTensor(operation, "outputGradient", outputGradient);
  checkDimsOf(operation, "outputGradient", gradient, [...input.dims.slice(0, -1), outputSize]);
  const dims = { input: input.dims, weight: weightDims, bias: biasDims ?? [] };
  const targets = checkTargets(operation, options, dims, biasDims !== undefined);

  const rows = elementsOf(input.dims.slice(0, -1));
  const gradients: Partial<LinearGradients> = {};
  if (options.gradients?.input !== false) {
    gradients.inputGradient = yield* withPacked(
      engine,
      operation,
      { name: "outputGradient", x: gradient, rows, depth: outputSize, columns: inputSize },
      (packed) => transpose(engine, operation, prepared, packed),
      targets.input,
    );
  }
  // [in, out] is xᵀ · dy, [out, in] is dyᵀ · x.
  const [left, right] = order === "in,out" ? [input, gradient] : [gradient, input];
  const [height = 0, columns = 0] = weightDims;
  const name = order === "in,out" ? "x" : "outputGradient";
  const weightGradient = yield* withPacked(
    engine,
    operation,
    { name, x: left, rows: height, depth: rows, columns, transposed: true },
    (packed) =>
      pack(engine, operation, packed, { weight: right, order: "in,out", depth: rows, columns }),
    targets.weight,
  );
  if (biasDims) {
    gradients.biasGradient = yield* sumRows(engine, operation, gradient, rows, targets.bias);
  }
  return { ...gradients, weightGradient };
}

/** A product with a W that `fill` packs, and that goes with it. */
function* withPacked(
  engine: Engine,
  operation: string,
  product: Product,
  fill: (packed: number) => void,
  target: Target,
): Steps<Tensor> {
  const packed = allocatePacked(engine, operation, product.depth, product.columns);
  try {
    fill(packed);
    return yield* multiply(engine, operation, product, packed, target);
  } finally {
    engine.arena.release(packed);
  }
}

/** Packs the transpose of a packed weight. */
function transpose(engine: Engine, operation: string, prepared: Prepared, packed: number): void {
  const words = frameWords(engine);
  words[LinearFrame.depth] = prepared.linear.inputSize;
  words[LinearFrame.columns] = prepared.linear.outputSize;
  const staging = new Staging(engine, operation);
  staging.block(LinearFrame.packed, prepared.packed);
  staging.block(LinearFrame.result, packed);
  try {
    engine.modules[TRAINING].run(TrainingKernel.transposePacked, staging.begin(), 0, 0, 0);
  } finally {
    staging.release();
  }
}

/** [rows × columns] summed to [columns]. */
function* sumRows(
  engine: Engine,
  operation: string,
  x: Tensor,
  rows: number,
  { dims, out, argument, added }: Target,
): Steps<Tensor> {
  const words = frameWords(engine);
  words[LinearFrame.rows] = rows;
  words[LinearFrame.columns] = elementsOf(dims);
  const staging = new Staging(engine, operation);
  staging.tensor(LinearFrame.input, "outputGradient", x);
  const result = staging.output(LinearFrame.result, dims, out, argument, added);
  try {
    engine.modules[TRAINING].run(TrainingKernel.sumRows, yield* staging.place(), 0, 0, 0);
    return yield* staging.take(result, dims);
  } finally {
    staging.release();
  }
}

function checkTargets(
  operation: string,
  { out, accumulate, gradients }: LinearBackwardOptions,
  dims: Record<"input" | "weight" | "bias", readonly number[]>,
  biased: boolean,
): Record<"input" | "weight" | "bias", Target> {
  checkAccumulate(operation, out, accumulate, "{ input?, weight?, bias? }");
  if (gradients !== undefined) {
    checkOptions(operation, gradients, "gradients");
    checkBoolean(operation, "gradients.input", gradients.input);
  }
  if (out?.bias !== undefined && !biased) {
    throw new ArgumentError(operation, "out.bias", "no value without a bias", describe(out.bias));
  }
  const target = (name: "input" | "weight" | "bias"): Target => {
    const argument = `out.${name}`;
    checkOut(operation, out?.[name], dims[name], argument);
    return { dims: dims[name], out: out?.[name], argument, added: accumulate === true };
  };
  return { input: target("input"), weight: target("weight"), bias: target("bias") };
}
