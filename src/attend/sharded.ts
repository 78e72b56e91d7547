// A cache whose tokens are a shard. What a shard asks of one; the cache says that it is one, so that shards
// without do not bring the cache's code along. The list lies outside both rooms: where each entry is a file of
// its own, each would have one.

import type { Tensor } from "../tensor/tensor";
import type { Attention } from "./attention";
import type { AttendCall } from "./forward";

type Looked = { readonly from: number; readonly to: number };

/** See shards/local.ts. */
export interface ShardCache {
  readonly attention: Attention;
  readonly keyValueHeads: number;
  readonly headSize: number;
  readonly valueSize: number;
  readonly pageSize: number;
  /** Whether tokens may have been evicted. */
  readonly windowed: boolean;
  /** Tokens of each sequence, all in order where none are named. */
  lengths(operation: string, sequences: readonly number[] | undefined): readonly number[];
  /** Whether its multiply-adds round once: not of few bits. */
  readonly fused: boolean;
  /** The call of attend over tokens [from, to), `from` the first of a page. */
  call(operation: string, query: Tensor, options: object, looked: Looked): SharedCall;
}

export interface SharedCall {
  readonly call: AttendCall;
  /** What the call reads is no longer needed. */
  done(): void;
}

const caches = /* @__PURE__ */ new WeakMap<object, ShardCache>();

/** Says what a shard of `cache` is asked. */
export function registerSharded(cache: object, asked: ShardCache): void {
  caches.set(cache, asked);
}

/** What an object says of itself if it is a cache. */
export function shardedOf(value: unknown): ShardCache | undefined {
  return typeof value === "object" && value !== null ? caches.get(value) : undefined;
}
