// What a call inside another throws, as the outer one says it.

import { AttentionError } from "../errors";

type Kind = new (...said: [string, string, string, string]) => AttentionError;

/** What `call` gives; its errors name what the caller called. */
export function renamed<Result>(operation: string, prefix: string, call: () => Result): Result {
  try {
    return call();
  } catch (error) {
    if (!(error instanceof AttentionError)) throw error;
    const { argument, expected, received } = error;
    throw new (error.constructor as Kind)(operation, prefix + argument, expected, received);
  }
}
