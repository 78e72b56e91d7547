// wasm-attention/shards: attention over keys and values that lie elsewhere, a shard each.

export { ShardError } from "./ask";
export { attendSharded } from "./attend";
export {
  attendShardedBackward,
  type ShardedBackwardOptions,
  type ShardedGradients,
  type ShardedPass,
} from "./backward";
export { type FileShard, type FileShardOptions, fileShard } from "./file";
export { localShard, type ShardOfCache, type ShardTensors } from "./local";
export { type MergeSpansOptions, mergeSpans } from "./merge";
export type { MissingShard, ShardedOptions, ShardedResult } from "./options";
export type { Shard, ShardMask, ShardOptions } from "./shard";
export {
  type ShardGradients,
  type ShardPass,
  type TrainingShard,
  trainingShard,
} from "./training";
