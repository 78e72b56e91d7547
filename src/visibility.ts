// Which keys each query sees: lengths, positions and masks, checked and made plain for
// the kernel.

import { MaskKind } from "../assembly/frame";
import { ArgumentError, describe } from "./errors";
import type { AttendOptions, Mask } from "./options";
import type { Shapes } from "./shapes";
import { checkDims, elementsOf } from "./tensor";

export interface Visibility {
  readonly causal: boolean;
  /** [batch][3]: queries, keys and the position of the first query. */
  readonly batches: Int32Array;
  readonly mask: PlacedMask | undefined;
}

export interface PlacedMask {
  readonly kind: MaskKind;
  readonly data: Float32Array | Uint8Array;
  /** Strides of batch, head, row and column in elements, 0 where broadcast. */
  readonly strides: readonly [number, number, number, number];
}

/** Positions stay clear of int32 overflow when a row number is added. */
const FARTHEST = 2 ** 30;

export function checkVisibility(
  operation: string,
  shapes: Shapes,
  options: AttendOptions,
): Visibility {
  const { batch, queries, keys } = shapes;
  const { causal = false, queryOffset } = options;
  if (![true, false, "upper-left", "lower-right"].includes(causal)) {
    throw new ArgumentError(
      operation,
      "causal",
      'a boolean, "upper-left" or "lower-right"',
      describe(causal),
    );
  }
  const lowerRight = causal === "lower-right";
  if (lowerRight && queryOffset !== undefined) {
    throw new ArgumentError(
      operation,
      "queryOffset",
      'no value with causal "lower-right", which is keys − queries of each batch',
      describe(queryOffset),
    );
  }
  const queryLengths = perBatch(operation, "queryLengths", options.queryLengths, batch, 0, queries);
  const keyLengths = perBatch(operation, "keyLengths", options.keyLengths, batch, 0, keys);
  const offsets =
    typeof queryOffset === "number"
      ? perBatch(
          operation,
          "queryOffset",
          new Array(batch).fill(queryOffset),
          batch,
          -FARTHEST,
          FARTHEST,
        )
      : perBatch(operation, "queryOffset", queryOffset, batch, -FARTHEST, FARTHEST);

  const batches = new Int32Array(3 * batch);
  for (let b = 0; b < batch; b++) {
    const rows = queryLengths?.[b] ?? queries;
    const columns = keyLengths?.[b] ?? keys;
    batches[3 * b] = rows;
    batches[3 * b + 1] = columns;
    batches[3 * b + 2] = lowerRight ? columns - rows : (offsets?.[b] ?? 0);
  }
  return { causal: causal !== false, batches, mask: checkMask(operation, shapes, options.mask) };
}

function perBatch(
  operation: string,
  argument: string,
  values: ArrayLike<number> | undefined,
  batch: number,
  least: number,
  most: number,
): ArrayLike<number> | undefined {
  if (values === undefined) return undefined;
  const given: unknown = values;
  if (typeof given !== "object" || given === null || values.length !== batch) {
    throw new ArgumentError(
      operation,
      argument,
      `one integer for each of ${batch} batches`,
      describe(values),
    );
  }
  for (let b = 0; b < batch; b++) {
    const value = values[b] as number;
    if (!Number.isInteger(value) || value < least || value > most) {
      throw new ArgumentError(
        operation,
        `${argument}[${b}]`,
        `an integer from ${least} to ${most}`,
        describe(value),
      );
    }
  }
  return values;
}

function checkMask(
  operation: string,
  shapes: Shapes,
  mask: Mask | undefined,
): PlacedMask | undefined {
  if (mask === undefined) return undefined;
  const { batch, heads, queries, keys } = shapes;
  const full = [batch, heads, queries, keys];
  const bare = ArrayBuffer.isView(mask);
  const data = bare ? mask : mask?.data;
  if (!(data instanceof Float32Array || data instanceof Uint8Array)) {
    throw new ArgumentError(
      operation,
      bare ? "mask" : "mask.data",
      "a Float32Array (additive) or Uint8Array (1 takes part)",
      describe(data),
    );
  }
  const dims = bare
    ? bareDims(operation, data, full)
    : checkDims(operation, "mask.dims", mask.dims);
  if (data.length !== elementsOf(dims)) {
    throw new ArgumentError(
      operation,
      "mask",
      `${dims.join("·")} = ${elementsOf(dims)} elements`,
      `${data.length}`,
    );
  }
  const padded = [1, 1, 1, 1, ...dims].slice(dims.length);
  const fits = dims.length <= 4 && padded.every((size, axis) => size === 1 || size === full[axis]);
  if (!fits) {
    throw new ArgumentError(
      operation,
      "mask.dims",
      `dims that broadcast over [B, H, L, S] = [${full.join(", ")}]`,
      describe(dims),
    );
  }
  const strides: [number, number, number, number] = [0, 0, 0, 0];
  let stride = 1;
  for (let axis = 3; axis >= 0; axis--) {
    const size = padded[axis] as number;
    strides[axis] = size === 1 ? 0 : stride;
    stride *= size;
  }
  const kind = data instanceof Uint8Array ? MaskKind.boolean : MaskKind.additive;
  return { kind, data, strides };
}

function bareDims(operation: string, data: Float32Array | Uint8Array, full: number[]): number[] {
  const plane = full.slice(2);
  if (data.length === elementsOf(full)) return full;
  if (data.length === elementsOf(plane)) return plane;
  throw new ArgumentError(
    operation,
    "mask",
    `L·S = ${elementsOf(plane)} or B·H·L·S = ${elementsOf(full)} elements in a bare array`,
    `${data.length}; give { data, dims } to broadcast`,
  );
}
