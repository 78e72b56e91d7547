// Checks of plain arguments.

import { ArgumentError, describe } from "./errors";

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

/** @throws ArgumentError unless `options` is an object; what is in it is the operation's to check. */
export function checkOptions(
  operation: string,
  options: unknown,
  argument = "options",
  expected = "an object",
): void {
  if (typeof options === "object" && options !== null) return;
  throw new ArgumentError(operation, argument, expected, describe(options));
}

/** @throws ArgumentError unless `out` is an object of targets, `shape`, or with `accumulate` is missing. */
export function checkAccumulate(
  operation: string,
  out: unknown,
  accumulate: unknown,
  shape: string,
): void {
  checkBoolean(operation, "accumulate", accumulate);
  const given =
    typeof out === "object" && out !== null && !("data" in out) && !ArrayBuffer.isView(out);
  if (given || (out === undefined && !accumulate)) return;
  throw new ArgumentError(operation, "out", shape, describe(out));
}
