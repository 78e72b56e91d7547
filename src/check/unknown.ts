// A name that does not exist, and the one that it was meant to be: for entries that are files apart, whose
// errors are the main entry's.

import { ArgumentError } from "wasm-attention";
import { likelyName } from "./names";

/** The error of an argument or option that does not exist, with the likely one or all of them. */
export function unknownName(
  operation: string,
  name: string,
  names: readonly string[],
): ArgumentError {
  const likely = likelyName(name, names);
  const expected = likely ? `the name "${likely}"` : `one of ${names.join(", ")}`;
  return new ArgumentError(operation, name, expected, "an option that does not exist");
}
