// The options of attendSharded, and why some of attend's are none of them.

import {
  type Abortable,
  type AttendOptions,
  type AttendState,
  attendFields,
} from "../attend/options";
import { reader } from "../check/names";
import { ArgumentError, describe } from "../errors";

/** Options of `attendSharded`: those of `attend` that can be asked of some of the keys alone. */
export interface ShardedOptions
  extends Pick<
      AttendOptions,
      | "scale"
      | "causal"
      | "queryOffset"
      | "mask"
      | "window"
      | "softcap"
      | "alibi"
      | "sinks"
      | "keyLengths"
      | "queryLengths"
      | "layout"
      | "heads"
      | "out"
    >,
    Abortable {
  /** Whether the result may lack shards that failed; `missing` names them. False by default. */
  allowMissing?: boolean | undefined;
  /** Whether shards may round otherwise than this engine, and the bits be other ones. False by default. */
  allowMixed?: boolean | undefined;
}

/** What `attendSharded` returns. */
export interface ShardedResult extends AttendState {
  /** Shards whose keys took no part, with `allowMissing`; none otherwise. */
  readonly missing: readonly MissingShard[];
}

/** A shard that gave no answer. */
export interface MissingShard {
  /** Its number among the shards. */
  readonly shard: number;
  /** Its first key of all that was asked for. */
  readonly from: number;
  /** The key after its last. */
  readonly to: number;
  /** Why. */
  readonly error: unknown;
}

export const shardedFields = {
  ...attendFields,
  signal: 1,
  allowMissing: 1,
  allowMixed: 1,
} as const;

const read = reader<ShardedOptions>(shardedFields);

const WHY: Record<string, string> = {
  weights: "they are of all keys, which stay where they are; `logSumExp` makes any of them anew",
  scores: "they are of all keys, which stay where they are",
  scoreMod: "a function cannot be sent; `mask`, `alibi` and `softcap` can",
  dropout: "which weights it drops follows from the number of a key in one call",
  blockMask: "its blocks need not end where shards do; `mask` is cut for each of them",
};

/** @throws ArgumentError for an option that shards cannot be asked for, with the reason. */
export function readSharded(operation: string, options: unknown): ShardedOptions {
  const given = read(operation, options);
  const others = given as Record<string, unknown>;
  for (const [name, why] of Object.entries(WHY)) {
    if (others[name] === undefined || others[name] === false) continue;
    throw new ArgumentError(operation, name, `no value: ${why}`, describe(others[name]));
  }
  for (const name of ["keyValueHeads", "logSumExp"]) {
    if (others[name] === undefined || others[name] === true) continue;
    const why = name === "logSumExp" ? "it is always returned" : "shards know them";
    throw new ArgumentError(operation, name, `no value: ${why}`, describe(others[name]));
  }
  if (given.alibi?.distance === "key") {
    const expected = '"absolute" or "signed": a shard counts keys from its own first';
    throw new ArgumentError(operation, "alibi.distance", expected, '"key"');
  }
  return given;
}
