// Whole numbers that say which row of a table, or which class.

import { numbersOf } from "../check/values";
import { ArgumentError, describe } from "../errors";
import { checkDims, elementsOf } from "../tensor/dims";

/** Whole numbers: an array of any kind, BigInts too, or with dims. */
export type Ids =
  | ArrayLike<number>
  | BigInt64Array
  | {
      /** The numbers, the last axis innermost. */
      readonly data: ArrayLike<number> | BigInt64Array;
      /** The size of each axis. */
      readonly dims: readonly number[];
    };

export interface CheckedIds {
  readonly numbers: readonly number[];
  readonly dims: readonly number[];
}

/** Of an integer from 0 to `count` − 1, or one that `besides` names. */
export function checkIds(
  operation: string,
  argument: string,
  given: unknown,
  count: number,
  besides?: number,
): CheckedIds {
  const plain = typeof given !== "object" || given === null || !("data" in given);
  const object = (plain ? { data: given } : given) as { data: unknown; dims?: unknown };
  const { data, dims: sizes } = object;
  const copied = numbersOf(data);
  if (!copied) {
    const expected = "an array of integers, or { data, dims }";
    throw new ArgumentError(operation, argument, expected, describe(given));
  }
  const dims =
    sizes === undefined ? [copied.length] : checkDims(operation, `${argument}.dims`, sizes);
  if (elementsOf(dims) !== copied.length) {
    const expected = `${elementsOf(dims)} elements`;
    throw new ArgumentError(operation, argument, expected, `${copied.length}`);
  }
  const numbers = copied.map((value: unknown, index) => {
    const id = typeof value === "bigint" ? Number(value) : (value as number);
    if (id === besides || (Number.isInteger(id) && id >= 0 && id < count)) return id;
    const range = count ? `an integer from 0 to ${count - 1}` : "none, as there are no rows";
    const expected = besides === undefined ? range : `${range}, or ${besides}`;
    // A number of no axes is one by itself.
    const place = dims.length ? `${argument}[${index}]` : argument;
    throw new ArgumentError(operation, place, expected, describe(value));
  });
  return { numbers, dims };
}
