// Tensors: anything with float32 data and dims. Those that the engine allocates lie in
// linear memory, so that a call with them copies nothing.

import { disposeSymbol } from "./disposal";
import type { Arena } from "./engine/arena";
import { ArgumentError, DisposedError, describe } from "./errors";

/** Float32 data in row-major order with its dims; onnxruntime's and transformers.js's tensors fit. */
export interface Tensor {
  /** The elements, the last axis innermost. */
  readonly data: Float32Array;
  /** The size of each axis. */
  readonly dims: readonly number[];
}

const MOST_ELEMENTS = 2 ** 31 - 1;

/**
 * Checks that `data` holds as many elements as `dims` says and wraps both; nothing is copied.
 * @throws ArgumentError if they disagree.
 */
export function tensor(data: Float32Array, dims: readonly number[]): Tensor {
  const checked = checkDims("tensor", "dims", dims);
  checkData("tensor", "data", data, checked);
  return { data, dims: checked };
}

/**
 * A tensor in linear memory, from `attention.allocate(dims)`. `data` is a view taken anew on
 * each access: growing memory detaches old views, so do not keep it across calls.
 */
export class AllocatedTensor implements Tensor {
  /** The size of each axis. */
  readonly dims: readonly number[];
  #arena: Arena;
  #address: number;
  #elements: number;
  #data: Float32Array | undefined;

  /** @internal */
  constructor(arena: Arena, dims: readonly number[]) {
    this.dims = dims;
    this.#arena = arena;
    this.#elements = elementsOf(dims);
    this.#address = arena.allocate("allocate", this.#elements * 4);
  }

  /**
   * The elements, in linear memory; not initialised.
   * @throws DisposedError after `dispose()`.
   */
  get data(): Float32Array {
    const address = this.addressIn(this.#arena, "allocate", "tensor");
    const buffer = this.#arena.buffer;
    if (this.#data?.buffer !== buffer)
      this.#data = new Float32Array(buffer, address, this.#elements);
    return this.#data;
  }

  /** Gives the memory back; a second call does nothing. */
  dispose(): void {
    if (this.#address) this.#arena.release(this.#address);
    this.#address = 0;
    this.#data = undefined;
  }

  /** As `dispose()`, at the end of a `using` declaration's block. */
  [disposeSymbol](): void {
    this.dispose();
  }

  /** @internal */
  checkInUse(operation: string, argument: string): void {
    this.addressIn(this.#arena, operation, argument);
  }

  /** @internal Byte address if this tensor lies in `arena`, else 0. */
  addressIn(arena: Arena, operation: string, argument: string): number {
    if (!this.#address || !this.#arena.reserved)
      throw new DisposedError(operation, argument, "a tensor in use", "a disposed one");
    return arena === this.#arena ? this.#address : 0;
  }
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
export function checkDims(operation: string, argument: string, dims: unknown): readonly number[] {
  if (!Array.isArray(dims)) {
    throw new ArgumentError(operation, argument, "an array of sizes", describe(dims));
  }
  for (const size of dims) {
    if (!Number.isInteger(size) || size < 0 || size > MOST_ELEMENTS) {
      throw new ArgumentError(operation, argument, "sizes from 0 to 2³¹ − 1", describe(dims));
    }
  }
  if (elementsOf(dims) > MOST_ELEMENTS) {
    throw new ArgumentError(operation, argument, "fewer than 2³¹ elements", describe(dims));
  }
  return [...dims];
}

/** `axes` names the dims in the message: "B·H·L·D = 1·2·3·8 = 48 elements". */
export function checkData(
  operation: string,
  argument: string,
  data: unknown,
  dims: readonly number[],
  axes?: string,
): asserts data is Float32Array {
  if (!(data instanceof Float32Array)) {
    throw new ArgumentError(operation, argument, "a Float32Array", describe(data));
  }
  const elements = elementsOf(dims);
  if (data.length !== elements) {
    const product = dims.length > 1 ? `${dims.join("·")} = ` : "";
    const named = axes ? `${axes} = ` : "";
    throw new ArgumentError(
      operation,
      argument,
      `${named}${product}${elements} elements`,
      `${data.length}`,
    );
  }
}

/** Checks an argument that should be a tensor; does not touch the data of an allocated one. */
export function checkTensor(
  operation: string,
  argument: string,
  value: unknown,
  axesOf?: (rank: number) => string,
): Tensor {
  if (value instanceof AllocatedTensor) return value;
  if (typeof value !== "object" || value === null || !("data" in value) || !("dims" in value)) {
    throw new ArgumentError(operation, argument, "a tensor { data, dims }", describe(value));
  }
  const dims = checkDims(operation, `${argument}.dims`, value.dims);
  checkData(operation, argument, value.data, dims, axesOf?.(dims.length));
  return { data: value.data, dims };
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

/** Checks `out`: as many elements as the result, and the same dims if it has any. */
export function checkOut(
  operation: string,
  out: unknown,
  dims: readonly number[],
  argument = "out",
): asserts out is Float32Array | Tensor | undefined {
  if (out === undefined) return;
  if (out instanceof Float32Array) {
    checkData(operation, argument, out, dims);
    return;
  }
  checkDimsOf(operation, argument, checkTensor(operation, argument, out), dims);
}
