// wasm-attention/shards/nats: shards in other processes, by NATS.

export {
  type CallData,
  CallError,
  type CallHandler,
  type CallsClient,
  connectCalls,
  serveCalls,
} from "./calls";
export { ProtocolError } from "./codec";
export { type ConnectOptions, connectShards, type ShardsClient } from "./connect";
export { NotStoredError, SequenceChangedError } from "./errors";
export { createShards, type Deployment, type ShardsOptions } from "./plan";
export { ShardedSequence } from "./sequence";
export { type ServeOptions, type ShardWorker, serveShards, type WorkerFigures } from "./serve";
export type { SnapshotStore } from "./snapshots";
