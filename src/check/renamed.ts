// What a call inside another throws, as the outer one says it.

import { AttentionError } from "../errors";

type Kind = new (...said: [string, string, string, string]) => AttentionError;

/** What `call` gives; its errors name what the caller called, and its arguments as `naming` does, or after a prefix. */
export function renamed<Result>(
  operation: string,
  naming: string | ((argument: string) => string),
  call: () => Result,
): Result {
  try {
    return call();
  } catch (error) {
    if (!(error instanceof AttentionError)) throw error;
    const { argument, expected, received } = error;
    const name = typeof naming === "string" ? naming + argument : naming(argument);
    throw new (error.constructor as Kind)(operation, name, expected, received);
  }
}
