// Tensors: anything with float32 data and dims. What a caller hands over is read once, at the door,
// and then only the checked copy is used. AllocatedTensor, in allocated.ts, lies in linear memory.

import { isDetached, isFloats, lengthOf } from "../arrays";
import { ArgumentError, describe } from "../errors";
import { AllocatedTensor } from "./allocated";
import { checkDims, elementsOf, sameDims } from "./dims";

/** Float32 data in row-major order with its dims; onnxruntime's and transformers.js's tensors fit. */
export interface Tensor {
  /** The elements, the last axis innermost. */
  readonly data: Float32Array;
  /** The size of each axis. */
  readonly dims: readonly number[];
}

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

/** `axes` names the dims in the message: "B·H·L·D = 1·2·3·8 = 48 elements". */
export function checkData(
  operation: string,
  argument: string,
  data: unknown,
  dims: readonly number[],
  axesOf?: (rank: number) => string,
): asserts data is Float32Array {
  if (!isFloats(data)) {
    throw new ArgumentError(operation, argument, "a Float32Array", describe(data));
  }
  const elements = elementsOf(dims);
  const given = lengthOf(data);
  if (given === elements) return;
  const product = dims.length > 1 ? `${dims.join("·")} = ` : "";
  const named = axesOf ? `${axesOf(dims.length)} = ` : "";
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
      checkData(operation, argument, data, dims, axesOf);
      return { data, dims };
    }
  }
  const expected = isFloats(value)
    ? "a tensor, as tensor(data, dims) makes"
    : "a tensor { data, dims }";
  throw new ArgumentError(operation, argument, expected, describe(value));
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
  if (sameDims(dims, expected)) return;
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
