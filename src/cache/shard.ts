// What a shard asks of a cache, see src/attend/sharded.ts: the call of attend over some of its tokens.

import type { Attention } from "../attend/attention";
import type { ShardCache } from "../attend/sharded";
import { checkCacheAttend } from "./attend";
import type { CacheAttendOptions } from "./options";
import type { CacheState } from "./state";

export function shardOf(attention: Attention, state: CacheState): ShardCache {
  const { keyValueHeads, headSize, valueSize, pageSize, window, numbers } = state.sizes;
  return {
    attention,
    keyValueHeads,
    headSize,
    valueSize,
    pageSize,
    windowed: window < Infinity,
    fused: attention.fused && !numbers,
    lengths(operation, sequences) {
      state.checkInUse(operation);
      const rows = sequences?.length ?? state.sequences.size;
      const batch = state.batch(operation, sequences, rows);
      return batch.map((sequence) => sequence?.length ?? 0);
    },
    call(operation, query, options, looked) {
      state.checkInUse(operation);
      const asked = { ...(options as CacheAttendOptions), looked };
      const { call, pages } = checkCacheAttend(operation, attention, state, query, asked);
      return { call, done: state.pages.hold(pages) };
    },
  };
}
