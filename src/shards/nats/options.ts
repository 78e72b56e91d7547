// Options, each read once, when a call is made.

import { ArgumentError } from "wasm-attention";
import { unknownName } from "../../check/unknown";

/** The options of these names; others are refused, with the likely name. */
export function readOptions<Options extends object>(
  operation: string,
  names: { readonly [Name in keyof Options]-?: 1 },
  given: Options,
): Options {
  if (typeof given !== "object" || given === null) {
    throw new ArgumentError(operation, "options", "an object", `${given}`);
  }
  const known = Object.keys(names);
  for (const name in given) {
    if (!known.includes(name) && given[name] !== undefined) {
      throw unknownName(operation, name, known);
    }
  }
  return Object.fromEntries(known.map((name) => [name, given[name as keyof Options]])) as Options;
}
