// The options of a cache, as a caller writes them, and their readers.

import type { Layout } from "../attend/options";
import {
  type Abortable,
  type AttendOptions,
  attendFields,
  type ScoreOptions,
} from "../attend/options";
import { type Names, reader } from "../check/names";
import type { Rotary } from "../check/rotary";
import { ArgumentError, describe } from "../errors";

/** How the numbers of a cache are stored. */
export type CacheNumbers = "float32" | "int16" | "int8" | "int4";

/** Options of `createCache`. */
export interface CacheOptions {
  /** Key and value heads Hkv. */
  keyValueHeads: number;
  /** Numbers of a key, D. */
  headSize: number;
  /** Numbers of a value, Dv; D by default. */
  valueSize?: number | undefined;
  /**
   * `"float32"` (default): the bits of one `attend` over all tokens. The others take less memory, and each
   * token is rounded when it is appended, so that results do not depend on how tokens come: `"int16"`
   * (half, a scale a token, relative error of the output about 1e-4 and less), `"int8"` (a quarter, about
   * 1e-2, keys spread by a Hadamard transform), `"int4"` (3/16, ggml's q4_0, about 1e-1: for capacity).
   */
  numbers?: CacheNumbers | undefined;
  /**
   * Tokens of a page, by which memory grows, from 1; 128 by default. A multiple of 128 is read where it
   * lies, rows of others are copied together for each call.
   */
  pageSize?: number | undefined;
  /** Sequences that there are from the beginning, 0, 1, …; 1 by default. */
  sequences?: number | undefined;
  /**
   * How many tokens a query sees, its own included; pages that no query to come can see are evicted.
   * All by default.
   */
  window?: number | undefined;
  /** Tokens at the beginning that every query sees besides its window ("attention sinks"); 0 by default. */
  sinks?: number | undefined;
  /**
   * Keys are rotated when they are appended, queries when they attend, by their positions; the engine
   * needs the extension `positions` too.
   */
  rotary?: Rotary | undefined;
  /**
   * Of keys that are no tokens of a text that goes on, but a source's, appended once: `attend` is not causal
   * by default, and a layer's `forward({ query }, { cache })` appends nothing, `forward({ query, key }, …)`
   * does. Neither with `rotary` nor with `window`. False by default.
   */
  cross?: boolean | undefined;
  /** Most bytes of all pages together; the engine's memory is the only limit by default. */
  maximumBytes?: number | undefined;
}

/** Which rows of a batch are whose. */
export interface BatchOptions {
  /** The sequence of each row of the batch, −1 to skip the row; all of the cache in order by default. */
  sequences?: ArrayLike<number> | undefined;
  /**
   * With rotary embeddings, the position of the first token of each row [B] (or one number for all), or
   * of each token [B, L]; by default they go on where the sequence ends.
   */
  positions?: number | ArrayLike<number> | undefined;
}

/** Options of `append`. */
export interface AppendOptions extends BatchOptions {
  /** Tokens of each row of the batch, from 0 to L; nothing past them is read. L by default. */
  lengths?: ArrayLike<number> | undefined;
  /** `"BHLD"` by default. */
  layout?: Layout | undefined;
}

/**
 * Options of the cache's `attend`: those of `attend`, where S is the length of the longest sequence. The
 * queries are a sequence's last tokens unless `queryOffset` says where they begin, and see no token after
 * their own unless `causal` is false.
 */
export interface CacheAttendOptions
  extends Omit<AttendOptions, "keyLengths" | "heads" | "keyValueHeads" | "causal">,
    BatchOptions {
  /** `true` by default, but for a cache that is `cross`. */
  causal?: boolean | "lower-right" | undefined;
}

/** Tokens of a sequence. */
export interface TokenRange {
  /** The first; 0 by default. */
  from?: number | undefined;
  /** The one after the last; the length by default. */
  to?: number | undefined;
}

/** Of options as they were read. */
export function refuseStrategies(operation: string, options: ScoreOptions): void {
  const refuse = (name: "precision" | "normalizer", why: string) => {
    if (options[name] === undefined) return;
    throw new ArgumentError(
      operation,
      name,
      `no value with a cache, ${why}`,
      describe(options[name]),
    );
  };
  refuse("precision", "which has numbers of its own");
  refuse("normalizer", "whose pages are read by softmax alone");
}

const cacheFields = {
  keyValueHeads: 1,
  headSize: 1,
  valueSize: 1,
  numbers: 1,
  pageSize: 1,
  sequences: 1,
  window: 1,
  sinks: 1,
  rotary: 1,
  cross: 1,
  maximumBytes: 1,
} as const;
export const readCacheOptions = reader<CacheOptions>(cacheFields, "{ keyValueHeads, headSize, … }");

export const readAppend = reader<AppendOptions>({
  sequences: 1,
  positions: 1,
  lengths: 1,
  layout: 1,
});

const { keyLengths: _, heads: __, keyValueHeads: ___, ...those } = attendFields;
export const cacheAttendFields: Names<CacheAttendOptions> = {
  ...those,
  sequences: 1,
  positions: 1,
};
export const readCacheAttend = reader<CacheAttendOptions>(cacheAttendFields);
export const readCacheAttendAsync = reader<CacheAttendOptions & Abortable>({
  ...cacheAttendFields,
  signal: 1,
});
