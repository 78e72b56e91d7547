// Options, each read once, when a call is made, and checked before anything is sent.

import { ArgumentError, type Tensor, tensor } from "wasm-attention";
import { unknownName } from "../../check/unknown";

/** The options of these names; others are refused, with the likely name. */
export function readOptions<Options extends object>(
  operation: string,
  names: { readonly [Name in keyof Options]-?: 1 },
  given: Options,
  argument = "options",
): Options {
  if (typeof given !== "object" || given === null) {
    throw new ArgumentError(operation, argument, "an object", said(given));
  }
  const known = Object.keys(names);
  for (const name in given) {
    if (!known.includes(name) && given[name] !== undefined) {
      throw unknownName(operation, name, known);
    }
  }
  return Object.fromEntries(known.map((name) => [name, given[name as keyof Options]])) as Options;
}

/** A value that was refused, for a message. */
export function said(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.slice(0, 100));
  if (Array.isArray(value)) return `an array of ${value.length}`;
  return typeof value === "object" && value !== null ? "an object" : String(value);
}

export function checkCount(
  operation: string,
  argument: string,
  value: unknown,
  most: number,
  least = 1,
): number {
  const count = value as number;
  if (Number.isInteger(value) && count >= least && count <= most) return count;
  const expected = `an integer from ${least} to ${most}`;
  throw new ArgumentError(operation, argument, expected, said(value));
}

/** Longest that an answer is waited for, in milliseconds. */
export const LONGEST = 600_000;

export function checkMilliseconds(operation: string, argument: string, value: unknown): number {
  if (typeof value === "number" && value > 0 && value <= LONGEST) return value;
  const expected = `milliseconds, more than 0 and at most ${LONGEST}`;
  throw new ArgumentError(operation, argument, expected, said(value));
}

/** An object with these functions. */
export function checkFunctions(
  operation: string,
  argument: string,
  value: unknown,
  names: readonly string[],
  expected = `an object with the functions ${names.join(", ")}`,
): void {
  const functions = (value ?? {}) as Record<string, unknown>;
  const none = names.find((name) => typeof functions[name] !== "function");
  if (typeof value === "object" && value !== null && none === undefined) return;
  const received = none && typeof value === "object" ? `${said(functions[none])} for ${none}` : "";
  throw new ArgumentError(operation, argument, expected, received || said(value));
}

/** A tensor of float32, its properties read once. */
export function readTensor(operation: string, argument: string, value: unknown): Tensor {
  const { data, dims } = (value ?? {}) as Tensor;
  try {
    return tensor(data, dims);
  } catch (error) {
    if (!(error instanceof ArgumentError)) throw error;
    const { argument: of, expected, received } = error;
    throw new ArgumentError(operation, `${argument}.${of}`, expected, received);
  }
}
