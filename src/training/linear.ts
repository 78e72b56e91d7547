// Gradients of y = x·W + bias:  dx = dy · Wᵀ    dW = xᵀ · dy    dbias = Σ dy over the rows.

import { TrainingKernel } from "../../assembly/kinds";
import { LinearFrame } from "../../build/frames";
import { type Attention, checkAttention } from "../attend/attention";
import type { Abortable } from "../attend/options";
import { reader } from "../check/names";
import { checkAccumulate, checkBoolean } from "../check/values";
import { ArgumentError, describe } from "../errors";
import { clearedFrame, type Engine } from "../instance/instance";
import type { Module } from "../instance/modules";
import { checkPrepared, type PreparedLinear, type PreparedParts } from "../linear/prepared";
import { allocatePacked, multiplyIn, type Product, packing, type Target } from "../linear/product";
import { type Output, Staging } from "../run/staging";
import type { Steps } from "../run/steps";
import type { AllocatedTensor } from "../tensor/allocated";
import { elementsOf } from "../tensor/dims";
import { checkDimsOf, checkOut, checkTensor, type Tensor } from "../tensor/tensor";
import { trainingOf } from "./module";

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

const fields = { gradients: 1, out: 1, accumulate: 1 } as const;
const readLinearBackward = reader<LinearBackwardOptions>(fields);
const readLinearBackwardAsync = reader<LinearBackwardOptions & Abortable>({ ...fields, signal: 1 });

/**
 * Gradients of `linear`'s x, weight and bias: outputGradient [..., out], x [..., in] as it was
 * given. The weight's is in the order it was prepared in; see `PreparedLinear.update`.
 *
 * @throws ArgumentError, MemoryError, DisposedError as `attend`.
 */
export function linearBackward(
  attention: Attention<"training">,
  outputGradient: Tensor,
  x: Tensor,
  prepared: PreparedLinear,
  options: LinearBackwardOptions = {},
): LinearGradients {
  const name = "linearBackward";
  return checkAttention(name, attention).run(name, (engine) => {
    const read = readLinearBackward(name, options);
    const weight = checkPrepared(name, prepared);
    return linearGradients(engine, name, { outputGradient, x, weight }, read);
  });
}

/** `linearBackward` without holding the calling thread; see `attendAsync`. */
export function linearBackwardAsync(
  attention: Attention<"training">,
  outputGradient: Tensor,
  x: Tensor,
  prepared: PreparedLinear,
  options: LinearBackwardOptions & Abortable = {},
): Promise<LinearGradients> {
  const name = "linearBackwardAsync";
  return checkAttention(name, attention).runAsync(name, () => {
    const { signal, ...read } = readLinearBackwardAsync(name, options);
    const weight = checkPrepared(name, prepared);
    const pass = {
      outputGradient: checkTensor(name, "outputGradient", outputGradient),
      x: checkTensor(name, "x", x),
      weight,
    };
    return { signal, steps: (engine) => linearGradients(engine, name, pass, read) };
  });
}

/** What the forward pass was given, and the gradient of its result. */
export interface LinearPass {
  readonly outputGradient: Tensor;
  readonly x: Tensor;
  readonly weight: PreparedLinear;
}

/** Makes a tensor in linear memory, for as long as a pass goes on. */
export type Make = (dims: readonly number[]) => AllocatedTensor;

/** `options` as they were read; all gradients in what `make` gives, if it does. */
export function* linearGradients(
  engine: Engine,
  operation: string,
  { outputGradient, x, weight }: LinearPass,
  options: LinearBackwardOptions,
  make?: Make,
): Steps<LinearGradients> {
  const module = trainingOf(engine, operation);
  const prepared = weight.parts(engine, operation);
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
  const { wanted, targets } = checkTargets(operation, options, dims, biased, make);
  // An `out` of the caller's may be an input, and late workers may write into any.
  const deferred = !make || engine.concurrent || !!engine.pool;

  const rows = elementsOf(input.dims.slice(0, -1));
  // Both are brought in once, and no deferred result leaves before all are there.
  const inputs = new Staging(engine, operation);
  const staged = {
    x: inputs.tensor(undefined, "x", input),
    dy: inputs.tensor(undefined, "outputGradient", gradient),
  };
  const stagings = [inputs];
  const stage = () => {
    const staging = new Staging(engine, operation, deferred);
    stagings.push(staging);
    return staging;
  };
  try {
    inputs.begin();
    const [x, dy] = [staged.x.address, staged.dy.address];
    // [in, out] is xᵀ · dy, [out, in] is dyᵀ · x.
    const [left, right] = order === "in,out" ? [x, dy] : [dy, x];
    const results = [
      yield* withPacked(
        engine,
        stage(),
        { name: "x", x: left, rows: height, depth: rows, columns, transposed: true },
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
      const fill = (packed: number) => transpose(engine, operation, prepared, packed);
      results.push(yield* withPacked(engine, stage(), product, fill, targets.input));
    }
    if (biased)
      results.push(yield* sumRows(module, engine, stage(), { x: dy, rows }, targets.bias));
    const [weightGradient, ...others] = yield* inputs.results(results);
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
  staging: Staging,
  product: Product,
  fill: (packed: number) => void,
  target: Target,
): Steps<Output> {
  const packed = allocatePacked(engine, staging.operation, product.depth, product.columns);
  try {
    fill(packed);
    return yield* multiplyIn(engine, staging, product, { address: packed }, target);
  } finally {
    engine.arena.release(packed);
  }
}

/** Packs the transpose of a packed weight. */
function transpose(
  engine: Engine,
  operation: string,
  prepared: PreparedParts,
  packed: number,
): void {
  const words = clearedFrame(engine);
  words[LinearFrame.depth] = prepared.inputSize;
  words[LinearFrame.columns] = prepared.outputSize;
  const staging = new Staging(engine, operation);
  staging.block(LinearFrame.packed, prepared.packed());
  staging.block(LinearFrame.result, packed);
  try {
    trainingOf(engine, operation).run(TrainingKernel.transposePacked, staging.begin(), 0, 0, 0);
  } finally {
    staging.release();
  }
}

/** [rows × columns] at address `x` summed to [columns]. */
function* sumRows(
  module: Module,
  engine: Engine,
  staging: Staging,
  { x, rows }: { readonly x: number; readonly rows: number },
  { dims, out, argument, added }: Target,
): Steps<Output> {
  const words = clearedFrame(engine);
  words[LinearFrame.rows] = rows;
  words[LinearFrame.columns] = elementsOf(dims);
  staging.block(LinearFrame.input, x);
  const result = staging.output(LinearFrame.result, dims, out, argument, added);
  module.run(TrainingKernel.sumRows, yield* staging.beginSteps(), 0, 0, 0);
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
  make: Make | undefined,
): { targets: Record<"input" | "weight" | "bias", Target>; wanted: boolean } {
  const out = checkAccumulate(operation, given, accumulate, "{ input?, weight?, bias? }", readOut);
  const { input } = gradients === undefined ? {} : readGradients(operation, gradients, "gradients");
  checkBoolean(operation, "gradients.input", input);
  const target = (name: "input" | "weight" | "bias"): Target => {
    const argument = `out.${name}`;
    if (name === "bias" && out.bias !== undefined && !biased) {
      throw new ArgumentError(operation, argument, "no value without a bias", describe(out.bias));
    }
    const checked = make?.(dims[name]) ?? checkOut(operation, out[name], dims[name], argument);
    return { dims: dims[name], out: checked, argument, added: accumulate === true };
  };
  const targets = { input: target("input"), weight: target("weight"), bias: target("bias") };
  return { targets, wanted: input !== false };
}
