// Projections: x · W + bias, with W packed once.

import { type Attention, checkAttention } from "../attend/attention";
import type { Abortable } from "../attend/options";
import { reader } from "../check/names";
import { ArgumentError, describe } from "../errors";
import type { Engine } from "../instance/instance";
import { checkTensor, checkVector, type Tensor } from "../tensor/tensor";
import { checkPrepared, PreparedLinear } from "./prepared";
import { allocatePacked, type Order, packing } from "./product";

/** Options of `prepareLinear`. */
export interface PrepareOptions {
  /** What the rows of the matrix are: [out, in] (PyTorch) or [in, out] (Keras, plain x·W). */
  order: "out,in" | "in,out";
  /** One number for each output. */
  bias?: Float32Array | Tensor | undefined;
}

/** Options of `linear`. */
export interface LinearOptions {
  /** Where to write the result: as many elements as it has. It may overlap x. */
  out?: Float32Array | Tensor | undefined;
}

const readPrepare = reader<PrepareOptions>({ order: 1, bias: 1 });
const readLinear = reader<LinearOptions>({ out: 1 });
const readLinearAsync = reader<LinearOptions & Abortable>({ out: 1, signal: 1 });

/** `of` and a dot come before the argument's name. */
export function checkOrder(operation: string, order: unknown, of = ""): Order {
  if (order === "out,in" || order === "in,out") return order;
  throw new ArgumentError(operation, `${of}order`, '"out,in" or "in,out"', describe(order));
}

/** The sizes of a matrix of these dims. */
export function checkMatrix(
  operation: string,
  dims: readonly number[],
  order: Order,
  of = "",
): { readonly inputSize: number; readonly outputSize: number } {
  const [rows = 0, columns = 0] = dims;
  if (dims.length !== 2 || rows < 1 || columns < 1) {
    const expected = `[${order}], each at least 1`;
    throw new ArgumentError(operation, `${of}weight.dims`, expected, describe(dims));
  }
  const [outputSize, inputSize] = order === "out,in" ? [rows, columns] : [columns, rows];
  return { inputSize, outputSize };
}

/** `options` as they were read; `of` and a dot come before the names of the arguments. */
export function prepareMatrix(
  engine: Engine,
  operation: string,
  weight: Tensor,
  { order: given, bias }: PrepareOptions,
  of = "",
): PreparedLinear {
  const order = checkOrder(operation, given, of);
  const checked = checkTensor(operation, `${of}weight`, weight);
  const { inputSize, outputSize } = checkMatrix(operation, checked.dims, order, of);
  const vector = bias === undefined ? bias : checkVector(operation, `${of}bias`, bias, outputSize);
  const packed = allocatePacked(engine, operation, inputSize, outputSize);
  const sizes = { order, depth: inputSize, columns: outputSize };
  try {
    packing(engine, operation, packed, { weight: checked, bias: vector, ...sizes }).pack();
  } catch (error) {
    engine.arena.release(packed);
    throw error;
  }
  const biased = vector !== undefined;
  return new PreparedLinear(engine, { order, inputSize, outputSize, biased, packed });
}

/**
 * Packs a weight matrix and its bias for `linear`: [out, in] with order `"out,in"` (PyTorch) or
 * [in, out] with `"in,out"` (Keras, plain x·W). It lies in linear memory until disposed.
 *
 * @throws ArgumentError, MemoryError, DisposedError as `attend`.
 */
export function prepareLinear(
  attention: Attention,
  weight: Tensor,
  options: PrepareOptions,
): PreparedLinear {
  const name = "prepareLinear";
  const engine = checkAttention(name, attention).running(name);
  return prepareMatrix(engine, name, weight, readPrepare(name, options));
}

/**
 * x · W + bias over the last axis: [..., in] → [..., out].
 *
 * @throws ArgumentError, MemoryError, DisposedError as `attend`.
 */
export function linear(
  attention: Attention,
  x: Tensor,
  prepared: PreparedLinear,
  options: LinearOptions = {},
): Tensor {
  const name = "linear";
  return checkAttention(name, attention).run(name, (engine) =>
    checkPrepared(name, prepared).apply(engine, name, x, readLinear(name, options)),
  );
}

/** `linear` without holding the calling thread; see `attendAsync`. */
export function linearAsync(
  attention: Attention,
  x: Tensor,
  prepared: PreparedLinear,
  options: LinearOptions & Abortable = {},
): Promise<Tensor> {
  const name = "linearAsync";
  return checkAttention(name, attention).runAsync(name, () => {
    const { signal, ...read } = readLinearAsync(name, options);
    const weight = checkPrepared(name, prepared);
    const input = checkTensor(name, "x", x);
    return { signal, steps: (engine) => weight.apply(engine, name, input, read) };
  });
}
