// What leaves a cache and comes back to one: rows as tensors, sequences as bytes, from cache to cache.

import type { Attention } from "../attend/attention";
import { reader } from "../check/names";
import { ArgumentError, describe } from "../errors";
import { decode, encode } from "./bytes";
import type { TokenRange } from "./options";
import { type CachedRows, readRows, restoreSnapshot, takeSnapshot } from "./read";
import { type CacheState, checkAlike, checkRange } from "./state";

/** Options of `export`. */
export interface ExportOptions {
  /**
   * `"stored"` (default): rows as the cache stores them, for caches of the same numbers. `"float16"`: half
   * floats, for caches of any; of a cache of fewer bits, what `read` gives.
   */
  numbers?: "stored" | "float16" | undefined;
}

const readRange = reader<TokenRange>({ from: 1, to: 1 });
const readExport = reader<ExportOptions>({ numbers: 1 });

/** A cache, and the engine it is of. */
export interface Parts {
  readonly attention: Attention;
  readonly state: CacheState;
}

export function readSequence(
  { attention, state }: Parts,
  id: number,
  range: TokenRange,
): CachedRows {
  const name = "read";
  const { from = 0, to } = readRange(name, range);
  return attention.run(name, (engine) => {
    const sequence = state.sequence(name, "sequence", id);
    const tokens = checkRange(name, state, sequence, from, to);
    return readRows(engine, name, state.sizes, sequence, [tokens]);
  });
}

export function exportSequence(
  { attention, state }: Parts,
  id: number,
  options: ExportOptions,
): Uint8Array<ArrayBuffer> {
  const name = "export";
  const { numbers = "stored" } = readExport(name, options);
  if (numbers !== "stored" && numbers !== "float16") {
    throw new ArgumentError(name, "numbers", '"stored" or "float16"', describe(numbers));
  }
  return attention.run(name, function* (engine) {
    const sequence = state.sequence(name, "sequence", id);
    const rows = numbers === "stored" ? "stored" : "plain";
    return encode(name, state.sizes, yield* takeSnapshot(engine, name, state, sequence, rows));
  });
}

export function importSequence({ attention, state }: Parts, bytes: Uint8Array): number {
  const name = "import";
  const snapshot = decode(name, state.sizes, bytes);
  return restoreSnapshot(attention.running(name), name, state, snapshot);
}

export function copySequence(from: Parts, to: Parts, id: number): number {
  const name = "copyTo";
  checkAlike(name, from.state.sizes, to.state.sizes);
  const snapshot = from.attention.run(name, (engine) =>
    takeSnapshot(engine, name, from.state, from.state.sequence(name, "sequence", id), "stored"),
  );
  return restoreSnapshot(to.attention.running(name), name, to.state, snapshot);
}
