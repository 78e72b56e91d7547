// The sizes of a tensor's axes.

import { copyOf } from "../arrays";
import { ArgumentError, describe } from "../errors";

const MOST_ELEMENTS = 2 ** 31 - 1;
const MOST_AXES = 64;

export function elementsOf(dims: readonly number[]): number {
  let elements = 1;
  for (const size of dims) elements *= size;
  return elements;
}

export function sameDims(a: readonly number[], b: readonly number[]): boolean {
  if (a === b) return true;
  let axis = 0;
  while (axis < a.length && a[axis] === b[axis]) axis++;
  return axis === a.length && axis === b.length;
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
      return refuse(`${numbers || "integers "}from 0 to 2³¹ − 1`, dims);
    }
    elements *= size;
  }
  if (elements > MOST_ELEMENTS) return refuse("fewer than 2³¹ elements", dims);
  return dims;
}
