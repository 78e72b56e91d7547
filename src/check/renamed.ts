// What a call inside another throws, as the outer one says it.

import { ArgumentError, AttentionError, MemoryError } from "../errors";

/** What `call` gives; its errors name what the caller called. */
export function renamed<Result>(operation: string, prefix: string, call: () => Result): Result {
  try {
    return call();
  } catch (error) {
    if (!(error instanceof AttentionError)) throw error;
    const { argument, expected, received } = error;
    const Kind = error instanceof ArgumentError ? ArgumentError : MemoryError;
    throw new Kind(operation, prefix + argument, expected, received);
  }
}
