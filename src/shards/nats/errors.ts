// What a caller of sequences is told besides ArgumentError and ShardError.

/** Somebody else has changed the sequence since it was looked at; it has been looked at anew. */
export class SequenceChangedError extends Error {
  override readonly name = "SequenceChangedError";
}

/**
 * The server did not say that it stored a change, and nothing of it is in the sequence; `cause` is what it
 * said. Where it could not be asked what it has, `known` is false: `refresh` tells.
 */
export class NotStoredError extends Error {
  override readonly name = "NotStoredError";
  /** Whether it is known that nothing was stored. */
  readonly known: boolean;
  constructor(message: string, options: { readonly cause: unknown; readonly known: boolean }) {
    super(message, { cause: options.cause });
    this.known = options.known;
  }
}
