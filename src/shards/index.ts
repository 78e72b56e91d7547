// wasm-attention/shards: attention over keys and values that lie elsewhere, a shard each.

export { attendSharded, ShardError } from "./attend";
export { type FileShard, type FileShardOptions, fileShard } from "./file";
export { localShard, type ShardOfCache, type ShardTensors } from "./local";
export { type MergeSpansOptions, mergeSpans } from "./merge";
export type { MissingShard, ShardedOptions, ShardedResult } from "./options";
export type { Shard, ShardMask, ShardOptions } from "./shard";
