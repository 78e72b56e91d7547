// Gradients of y = x·W + bias:  dx = dy · Wᵀ    dW = xᵀ · dy    dbias = Σ dy over the rows.

import { Slot } from "../assembly/frame";
import { checkAccumulate, checkBoolean } from "./checks";
import { type Engine, frameWords } from "./engine/load";
import { Staging } from "./engine/staging";
import type { Steps } from "./engine/work";
import { ArgumentError, describe } from "./errors";
import type { PreparedLinear } from "./linear";
import { reader } from "./option-names";
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
  const { targets, wanted } = checkTargets(operation, options, dims, biasDims !== undefined);

  const rows = elementsOf(input.dims.slice(0, -1));
  const gradients: Partial<LinearGradients> = {};
  if (wanted) {
    gradients.inputGradient = yield* withPacked(
      engine,
      operation,
      { name: "outputGradient", x: gradient, rows, depth: outputSize, columns: inputSize },
      (packed) => turn(engine, operation, prepared, packed),
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
    { name, x: left, rows: height, depth: rows, columns, turned: true },
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
function turn(engine: Engine, operation: string, prepared: Prepared, packed: number): void {
  const words = frameWords(engine);
  words[Slot.depth] = prepared.linear.inputSize;
  words[Slot.columns] = prepared.linear.outputSize;
  const staging = new Staging(engine, operation);
  staging.block(Slot.packed, prepared.packed);
  staging.block(Slot.result, packed);
  try {
    engine.kernels.turnPacked(staging.begin());
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
  words[Slot.rows] = rows;
  words[Slot.columns] = elementsOf(dims);
  const staging = new Staging(engine, operation);
  staging.tensor(Slot.input, "outputGradient", x);
  const result = staging.output(Slot.result, dims, out, argument, added);
  try {
    engine.kernels.sumRows(yield* staging.place());
    return yield* staging.take(result, dims);
  } finally {
    staging.release();
  }
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
  if (out.bias !== undefined && !biased) {
    throw new ArgumentError(operation, "out.bias", "no value without a bias", describe(out.bias));
  }
  const target = (name: "input" | "weight" | "bias"): Target => {
    const argument = `out.${name}`;
    checkOut(operation, out[name], dims[name], argument);
    return { dims: dims[name], out: out[name], argument, added: accumulate === true };
  };
  const targets = { input: target("input"), weight: target("weight"), bias: target("bias") };
  return { targets, wanted: input !== false };
}
