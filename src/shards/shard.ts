// What a shard is: some of the keys and values of a sequence, wherever they lie, and how they are asked.

import type { Alibi } from "../attend/options";
import type { Tensor } from "../tensor/tensor";

/** A mask of the keys that are asked for. */
export interface ShardMask {
  /** Numbers that are added, or 1 for what takes part. */
  readonly data: Float32Array | Uint8Array;
  /** Broadcast over [B, H, L, keys] from the right. */
  readonly dims: readonly number[];
}

/**
 * What is asked of a shard: the options of `attend`, of the keys of some of its spans alone. All numbers
 * of keys count from the first key that is asked for. Plain values, to be sent anywhere.
 */
export interface ShardOptions {
  /** Which of its spans of 4096 keys. */
  readonly spans: {
    /** The first, counted from 0. */
    readonly from: number;
    /** The one after the last. */
    readonly to: number;
  };
  /** Factor on the scores. */
  readonly scale: number;
  /** Whether a query sees no key after its own position. */
  readonly causal: boolean;
  /** Position of the first query of each batch; below 0 where it comes before these keys. */
  readonly queryOffset: readonly number[];
  /** Queries of each batch. */
  readonly queryLengths: readonly number[];
  /** Keys of each batch, of those asked for. */
  readonly keyLengths: readonly number[];
  /** As of `attend`. */
  readonly window?:
    | {
        /** Keys before a query's own position. */
        readonly left?: number;
        /** Keys after it. */
        readonly right?: number;
      }
    | undefined;
  /** As of `attend`. */
  readonly softcap?: number | undefined;
  /** As of `attend`, but for `"key"`. */
  readonly alibi?: Alibi | undefined;
  /** As of `attend`; asked only of whoever has the first key of all. */
  readonly sinks?: readonly number[] | undefined;
  /** One for each mask of the call. */
  readonly masks: readonly ShardMask[];
}

/**
 * Keys and values that lie somewhere: in this process (`localShard`), on a disk (`fileShard`), or anywhere
 * that a query can be sent to. Shards are asked in key order; all but the last hold whole spans of 4096
 * keys.
 */
export interface Shard {
  /** How many keys, of every batch or of each. */
  readonly keys: number | readonly number[];
  /** Key and value heads Hkv. */
  readonly keyValueHeads: number;
  /** Numbers of a key, D. */
  readonly headSize: number;
  /** Numbers of a value, Dv. */
  readonly valueSize: number;
  /** Whether its multiply-adds round once, as `attention.fused`; not asked for where it is left out. */
  readonly fused?: boolean | undefined;
  /**
   * The state of each span that is asked for, in order: output [B·H·L][⌈Dv/8⌉·8] before the division, then
   * the largest score m [B·H·L] and l = Σ e^(score − m) [B·H·L], all 0 where no key is seen. `query` is
   * [B, H, L, D].
   */
  attend(
    query: Tensor,
    options: ShardOptions,
    signal?: AbortSignal,
  ): Promise<readonly Float32Array[]> | readonly Float32Array[];
}
