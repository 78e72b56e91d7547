// Where each shard's keys lie among all, and whether the shards fit together.

import { SPAN_KEYS } from "../../assembly/kinds";
import { ArgumentError, describe } from "../errors";
import type { KeySizes, Plan } from "./plan";
import type { Shard } from "./shard";

/** A shard, its number, and its first key among all. */
export interface Place {
  readonly shard: Shard;
  readonly index: number;
  readonly first: number;
  readonly keys: number;
}

export interface Placed {
  readonly each: readonly Place[];
  readonly sizes: KeySizes;
}

/** Where each shard's keys lie among all. @throws ArgumentError unless they fit together. */
export function placedOf(operation: string, shards: unknown): Placed {
  if (!Array.isArray(shards) || !shards.length) {
    throw new ArgumentError(operation, "shards", "an array of at least one", describe(shards));
  }
  const each: Place[] = [];
  let first = 0;
  let lengths: number[] | undefined;
  for (const [index, shard] of (shards as readonly Shard[]).entries()) {
    if (typeof shard?.attend !== "function") {
      throw new ArgumentError(operation, `shards[${index}]`, "a shard", describe(shard));
    }
    const own = lengthsOf(operation, index, shard);
    const keys = typeof own === "number" ? own : Math.max(0, ...own);
    if (index < shards.length - 1 && keys % SPAN_KEYS) {
      const expected = `whole spans of ${SPAN_KEYS} keys in all shards but the last`;
      throw new ArgumentError(operation, `shards[${index}].keys`, expected, `${keys}`);
    }
    if (typeof own !== "number") lengths ??= own.map(() => first);
    if (lengths) lengths = joined(operation, index, lengths, own, first);
    each.push({ shard, index, first, keys });
    first += keys;
  }
  const { keyValueHeads, headSize, valueSize } = (each[0] as Place).shard;
  for (const { shard, index } of each) {
    for (const [name, size] of Object.entries({ keyValueHeads, headSize, valueSize })) {
      const own = shard[name as "headSize"];
      if (own === size && Number.isInteger(own) && own > 0) continue;
      const expected = `${size}, as of the first shard`;
      throw new ArgumentError(operation, `shards[${index}].${name}`, expected, describe(own));
    }
  }
  return { each, sizes: { keyValueHeads, headSize, valueSize, keys: first, lengths } };
}

function lengthsOf(operation: string, index: number, { keys }: Shard): number | readonly number[] {
  const numbers = typeof keys === "number" ? [keys] : Array.isArray(keys) ? [...keys] : [-1];
  if (numbers.every((count) => Number.isInteger(count) && count >= 0))
    return typeof keys === "number" ? keys : numbers;
  const expected = "a number of keys, or one for each batch";
  throw new ArgumentError(operation, `shards[${index}].keys`, expected, describe(keys));
}

/** Keys of each batch with those of a shard more, before which a batch has all its keys. */
function joined(
  operation: string,
  index: number,
  lengths: readonly number[],
  own: number | readonly number[],
  first: number,
): number[] {
  if (typeof own !== "number" && own.length !== lengths.length) {
    const expected = `one number for each of ${lengths.length} batches`;
    throw new ArgumentError(operation, `shards[${index}].keys`, expected, describe(own));
  }
  return lengths.map((length, b) => {
    const more = typeof own === "number" ? own : (own[b] as number);
    if (!more || length === first) return length + more;
    const expected = `0 for batch ${b}, which ends in a shard before, after ${length} keys`;
    throw new ArgumentError(operation, `shards[${index}].keys`, expected, `${more}`);
  });
}

/** Whether multiply-adds round once: as those of all shards do. */
export function arithmeticOf(
  operation: string,
  { each }: Placed,
  fused: boolean,
  mixed: boolean | undefined,
): boolean {
  const word = (once: boolean) => (once ? "once" : "twice");
  const known = each.filter(({ shard }) => typeof shard.fused === "boolean");
  const first = known[0]?.shard.fused ?? fused;
  if (mixed) return fused;
  for (const { shard, index } of known) {
    // Of an engine whose own round once, those of a cache of few bits may not.
    if (shard.fused === first && (fused || !first)) continue;
    const expected = `multiply-adds that round ${word(fused && first)}, or allowMixed`;
    const received = word(shard.fused as boolean);
    throw new ArgumentError(operation, `shards[${index}].fused`, expected, received);
  }
  return first;
}

/** Spans of a shard's keys that are asked for, by their numbers in all. */
export function spansOf({ from, to }: Plan, { first, keys }: Place) {
  const start = first / SPAN_KEYS;
  const end = Math.ceil((first + keys) / SPAN_KEYS);
  return { from: Math.max(from, start), to: Math.min(to, end) };
}

/** Those of whose keys some row sees any. */
export function seenOf(plan: Plan, { each }: Placed): Place[] {
  return each.filter((place) => {
    const { from, to } = spansOf(plan, place);
    return place.keys > 0 && from < to;
  });
}
