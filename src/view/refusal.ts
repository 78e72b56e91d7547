// Errors that name the element and the part of `maps` that is at fault.

import { ArgumentError, describe } from "../errors";

export const NAME = "attention-view";

export function refuse(argument: string, expected: string, received: unknown): never {
  throw new ArgumentError(NAME, argument, expected, describe(received));
}

export function checkInteger(argument: string, value: unknown, least: number): number {
  if (Number.isSafeInteger(value) && (value as number) >= least) return value as number;
  return refuse(argument, `an integer from ${least}`, value);
}
