// Which axes an operation goes over.

import { ArgumentError, describe } from "../errors";
import { elementsOf } from "../tensor/dims";

/** An axis of `dims` from 0 on; a negative one is counted from the last. */
export function checkAxis(
  operation: string,
  given: unknown,
  dims: readonly number[],
  of = "x",
): number {
  const rank = dims.length;
  const axis = given === undefined ? -1 : (given as number);
  if (rank && Number.isInteger(axis) && axis >= -rank && axis < rank) {
    return axis < 0 ? axis + rank : axis;
  }
  if (!rank) throw new ArgumentError(operation, `${of}.dims`, "at least one axis", describe(dims));
  const expected = `an axis of ${of}, ${-rank} to ${rank - 1}`;
  throw new ArgumentError(operation, "axis", expected, describe(given));
}

/** Elements before an axis, along it, and after it. */
export function partsOf(dims: readonly number[], axis: number) {
  const outer = elementsOf(dims.slice(0, axis));
  const inner = elementsOf(dims.slice(axis + 1));
  return { outer, size: dims[axis] as number, inner };
}

/** @throws ArgumentError unless it is a finite float32 in the range. */
export function checkNumber(
  operation: string,
  argument: string,
  value: unknown,
  [least, most]: readonly [least: number, most: number],
): number {
  const fits = typeof value === "number" && Number.isFinite(Math.fround(value));
  if (fits && value >= least && value <= most) return value;
  const range = most < Infinity ? ` from ${least} to ${most}` : least === 0 ? " from 0" : "";
  throw new ArgumentError(operation, argument, `a finite number${range}`, describe(value));
}
