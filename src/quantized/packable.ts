// How a weight is packed, and checks that all formats share.

import type { OffsetKind, WeightNumbers } from "../../assembly/kinds";
import { QuantizedFrame } from "../../build/frames";
import { bufferOf, byteOffsetOf, kindOf, lengthOf } from "../arrays";
import { ArgumentError, describe } from "../errors";
import type { Order } from "../linear/product";
import { checkDims } from "../tensor/dims";
import type { Tensor } from "../tensor/tensor";

/** How a weight is packed: what its frame wants besides sizes. */
export interface Packable {
  readonly dims: readonly number[];
  readonly numbers: WeightNumbers;
  /** Inputs that share a scale, 0 for all. */
  readonly block: number;
  readonly offsets: OffsetKind;
  readonly center: number;
  /** Further words for packing. */
  readonly words: readonly (readonly [slot: number, value: number])[];
  /** A float32 matrix, or arrays by where the frame wants their addresses. */
  readonly data: Tensor | readonly Bytes[];
}

export interface Bytes {
  readonly slot: number;
  readonly argument: string;
  readonly view: Uint8Array | Float32Array;
  readonly elements: number;
}

export const DATA = { argument: "weight.data", slot: QuantizedFrame.weight };

/** @throws ArgumentError unless it is a power of two from 16. */
export function checkBlock(operation: string, argument: string, block: unknown): void {
  if (Number.isInteger(block) && (block as number) >= 16 && Math.log2(block as number) % 1 === 0) {
    return;
  }
  throw new ArgumentError(operation, argument, "a power of two from 16", describe(block));
}

/** [out, in], the only order of these formats. */
export function matrixOf(operation: string, given: unknown, order: Order | undefined) {
  if (order === "in,out") {
    const expected = '"out,in", as the format has it';
    throw new ArgumentError(operation, "order", expected, describe(order));
  }
  const dims = checkDims(operation, "weight.dims", given);
  const [outputs = 0, inputs = 0] = dims;
  if (dims.length !== 2 || outputs < 1 || inputs < 1) {
    const expected = "[out,in], each at least 1";
    throw new ArgumentError(operation, "weight.dims", expected, describe(dims));
  }
  return [outputs, inputs] as const;
}

/** One of `counts` floats. */
export function floats(
  operation: string,
  argument: string,
  view: unknown,
  counts: readonly number[],
  slot: number,
): Bytes {
  const elements = kindOf(view) === "Float32Array" ? lengthOf(view as Float32Array) : -1;
  if (counts.includes(elements)) return { slot, argument, view: view as Float32Array, elements };
  const received = elements < 0 ? describe(view) : `${elements}`;
  const expected = `a Float32Array of ${counts.join(" or ")} elements`;
  throw new ArgumentError(operation, argument, expected, received);
}

/** One of `counts` elements of an array of one of `kinds`, as bytes. */
export function bytes(
  operation: string,
  { argument, slot }: { readonly argument: string; readonly slot: number },
  view: unknown,
  kinds: readonly string[],
  ...counts: readonly number[]
): Bytes {
  const kind = kindOf(view) ?? "";
  const given = view as Uint8Array;
  const length = kinds.includes(kind) ? lengthOf(given) : -1;
  if (!counts.includes(length)) {
    const received = length < 0 ? describe(view) : `${length}`;
    const expected = `a ${kinds.join(" or ")} of ${counts.join(" or ")} elements`;
    throw new ArgumentError(operation, argument, expected, received);
  }
  const elements = kind === "Uint16Array" ? length * 2 : length;
  const same = new Uint8Array(bufferOf(given), byteOffsetOf(given), elements);
  return { slot, argument, view: same, elements };
}
