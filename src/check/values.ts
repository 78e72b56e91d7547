// Checks of plain arguments.

import { copyOf, countOf } from "../arrays";
import { ArgumentError, describe } from "../errors";
import type { Reader } from "./names";

/** @throws ArgumentError unless `value` is an integer from 1. */
export function checkCount(operation: string, argument: string, value: unknown): void {
  if (!Number.isInteger(value) || (value as number) < 1 || (value as number) >= 2 ** 31) {
    throw new ArgumentError(operation, argument, "an integer from 1", describe(value));
  }
}

/** @throws ArgumentError unless `value` is a boolean or left out. */
export function checkBoolean(operation: string, argument: string, value: unknown): void {
  if (value === undefined || typeof value === "boolean") return;
  throw new ArgumentError(operation, argument, "a boolean", describe(value));
}

/**
 * The numbers of an array or of what is like one, each read once; nothing unless there are as many as
 * one of `counts`.
 */
export function numbersOf(values: unknown, counts?: readonly number[]): number[] | undefined {
  const count = countOf(values);
  if (counts ? !counts.includes(count) : count < 0 || count >= 2 ** 31) return undefined;
  return copyOf(values as ArrayLike<number>, count);
}

/** @throws ArgumentError unless `out` is an object of targets, `shape`; with `accumulate` it is needed. */
export function checkAccumulate<T>(
  operation: string,
  out: unknown,
  accumulate: unknown,
  shape: string,
  read: Reader<T>,
): Partial<T> {
  checkBoolean(operation, "accumulate", accumulate);
  if (out === undefined && !accumulate) return {};
  const given =
    typeof out === "object" && out !== null && !("data" in out) && !ArrayBuffer.isView(out);
  if (given) return read(operation, out, "out");
  throw new ArgumentError(operation, "out", shape, describe(out));
}
