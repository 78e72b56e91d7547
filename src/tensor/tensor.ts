// Tensors: anything with float32 data and dims. What a caller hands over is read once, at the door,
// and then only the checked copy is used. AllocatedTensor, in allocated.ts, lies in linear memory.

import { ArgumentError, describe } from "../errors";
import { AllocatedTensor } from "./allocated";
import { copyOf, isDetached, isFloats, lengthOf } from "./arrays";

/** Float32 data in row-major order with its dims; onnxruntime's and transformers.js's tensors fit. */
export interface Tensor {
  /** The elements, the last axis innermost. */
  readonly data: Float32Array;
  /** The size of each axis. */
  readonly dims: readonly number[];
}

const MOST_ELEMENTS = 2 ** 31 - 1;
const MOST_AXES = 64;

/**
 * Checks that `data` holds as many elements as `dims` says and wraps both; nothing is copied.
 * @throws ArgumentError if they disagree.
 */
export function tensor(data: Float32Array, dims: readonly number[]): Tensor {
  const checked = checkDims("tensor", "dims", dims);
  checkData("tensor", "data", data, checked);
  return { data, dims: checked };
}

const setFloats = Float32Array.prototype.set;

/** x into `target`, whatever class it says it is of; as many elements in both. */
export function set(target: Float32Array, x: Float32Array): void {
  setFloats.call(target, x);
}

/** target + x, in place; as many elements in both. */
export function add(target: Float32Array, x: Float32Array): void {
  for (let i = 0; i < x.length; i++) target[i] = (target[i] as number) + (x[i] as number);
}

export function elementsOf(dims: readonly number[]): number {
  let elements = 1;
  for (const size of dims) elements *= size;
  return elements;
}

/** A copy of dims, each an integer from 0, with fewer than 2³¹ elements together. */
export function checkDims(operation: string, argument: string, given: unknown): readonly number[] {
  const refuse = (expected: string, received: unknown): never => {
    throw new ArgumentError(operation, argument, expected, describe(received));
  };
  if (!Array.isArray(given)) return refuse("an array of sizes", given);
  const rank = given.length;
  if (rank > MOST_AXES) return refuse(`up to ${MOST_AXES} sizes`, given);
  const dims = copyOf<number>(given, rank);
  let elements = 1;
  for (const size of dims) {
    if (!Number.isInteger(size) || size < 0 || size > MOST_ELEMENTS) {
      const numbers = typeof size === "bigint" ? "numbers, not BigInts, " : "";
      return refuse(`${numbers || "sizes "}from 0 to 2³¹ − 1`, dims);
    }
    elements *= size;
  }
  if (elements > MOST_ELEMENTS) return refuse("fewer than 2³¹ elements", dims);
  return dims;
}

/** `axes` names the dims in the message: "B·H·L·D = 1·2·3·8 = 48 elements". */
export function checkData(
  operation: string,
  argument: string,
  data: unknown,
  dims: readonly number[],
  axes?: string,
): asserts data is Float32Array {
  if (!isFloats(data)) {
    throw new ArgumentError(operation, argument, "a Float32Array", describe(data));
  }
  const elements = elementsOf(dims);
  const given = lengthOf(data);
  if (given === elements) return;
  const product = dims.length > 1 ? `${dims.join("·")} = ` : "";
  const named = axes ? `${axes} = ` : "";
  throw new ArgumentError(
    operation,
    argument,
    `${named}${product}${elements} elements`,
    received(data),
  );
}

/** How many elements, or why there are none: growing memory detaches old views. */
export function received(data: ArrayBufferView): string {
  return isDetached(data) ? "0 (detached: take .data anew)" : `${lengthOf(data)}`;
}

/**
 * The tensor that `value` is, each property of it read once; an allocated one is itself, its data not
 * touched.
 *
 * @throws DisposedError, ArgumentError.
 */
export function checkTensor(
  operation: string,
  argument: string,
  value: unknown,
  axesOf?: (rank: number) => string,
): Tensor {
  if (typeof value === "object" && value !== null) {
    const allocated = AllocatedTensor.from(value);
    if (allocated) {
      allocated.address(operation, argument);
      return allocated;
    }
    const { data, dims: given } = value as Partial<Tensor>;
    if (data !== undefined && given !== undefined) {
      const dims = checkDims(operation, `${argument}.dims`, given);
      checkData(operation, argument, data, dims, axesOf?.(dims.length));
      return { data, dims };
    }
  }
  throw new ArgumentError(operation, argument, "a tensor { data, dims }", describe(value));
}

/** A Float32Array or a tensor of any dims with so many elements, as a tensor. */
export function checkVector(
  operation: string,
  argument: string,
  value: unknown,
  size: number,
): Tensor {
  const dims = [size];
  const checked = isFloats(value) ? { data: value, dims } : checkTensor(operation, argument, value);
  checkData(operation, argument, checked.data, dims);
  return checked;
}

/** @throws ArgumentError unless the tensor has these dims. */
export function checkDimsOf(
  operation: string,
  argument: string,
  { dims }: Tensor,
  expected: readonly number[],
): void {
  if (dims.length === expected.length && dims.every((size, axis) => size === expected[axis]))
    return;
  throw new ArgumentError(
    operation,
    `${argument}.dims`,
    `[${expected.join(", ")}]`,
    describe(dims),
  );
}

/** What `out` is, read once: as many elements as the result, and the same dims if it has any. */
export function checkOut(
  operation: string,
  out: unknown,
  dims: readonly number[],
  argument = "out",
): Tensor | undefined {
  if (out === undefined) return undefined;
  if (isFloats(out)) {
    checkData(operation, argument, out, dims);
    return { data: out, dims };
  }
  const checked = checkTensor(operation, argument, out);
  checkDimsOf(operation, argument, checked, dims);
  return checked;
}
