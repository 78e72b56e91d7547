// A deployment of its own for each test, and the same tokens in this process.

import assert from "node:assert/strict";
import type { NatsConnection } from "@nats-io/nats-core";
import { type AttendOptions, type Attention, createAttention, type Tensor } from "wasm-attention";
import { type AttentionCache, cache, createCache } from "wasm-attention/cache";
import {
  connectShards,
  createShards,
  type ShardedSequence,
  type ShardsClient,
  type ShardsOptions,
} from "wasm-attention/shards/nats";
import { bitsOf, randomArray } from "../engines";
import type { Server, Worker } from "./server";

export const SPAN = 4096;
export const sizes = { keyValueHeads: 2, headSize: 8, valueSize: 12 } as const;

export interface Setup {
  readonly name: string;
  readonly connection: NatsConnection;
  readonly attention: Attention<"cache">;
  readonly client: ShardsClient;
  readonly workers: Worker[];
}

let made = 0;

export async function setup(
  server: Server,
  workers: number,
  options: Partial<ShardsOptions> & {
    readonly patience?: number;
    readonly snapshotBytes?: number;
  } = {},
): Promise<Setup> {
  // What is killed says nothing; what is slow, on a machine with other work, may be late.
  const { patience = 8000, snapshotBytes, ...more } = options;
  const name = `d${made++}`;
  const connection = await server.connect();
  await createShards(connection, { name, ...sizes, workers, ...more });
  const started: Worker[] = [];
  for (let worker = 0; worker < workers; worker++)
    started.push(await server.worker({ name, worker, snapshotBytes }));
  const attention = await createAttention({ extensions: [cache], reproducible: true });
  const client = await connectShards(connection, attention, name, { patience });
  return { name, connection, attention, client, workers: started };
}

export function tokens(count: number, seed: number): [Tensor, Tensor] {
  const { keyValueHeads, headSize, valueSize } = sizes;
  const of = (size: number, offset: number): Tensor => ({
    data: randomArray(keyValueHeads * count * size, 2 * seed + offset),
    dims: [1, keyValueHeads, count, size],
  });
  return [of(headSize, 1), of(valueSize, 2)];
}

export const queryOf = (queries: number, seed: number): Tensor => ({
  data: randomArray(4 * queries * sizes.headSize, seed, 4),
  dims: [1, 4, queries, sizes.headSize],
});

/** A cache in this process, of the same tokens. */
export function modelOf(
  attention: Attention<"cache">,
  numbers: ShardsOptions["numbers"] = "float32",
): AttentionCache {
  return createCache(attention, { ...sizes, numbers });
}

/** The sequence answers as the model's does, by its bits. */
export async function alike(
  sequence: ShardedSequence,
  model: AttentionCache,
  number = 0,
  options: AttendOptions = {},
  seed = 1,
): Promise<void> {
  assert.equal(sequence.length, model.length(number));
  const query = queryOf(3, seed);
  const { output, logSumExp, missing } = await sequence.attend(query, options as object);
  assert.deepEqual(missing, []);
  const want = model.attend(query, {
    // The cache takes queries for its last tokens.
    causal: false,
    queryOffset: 0,
    ...(options as object),
    sequences: [number],
    logSumExp: true,
  });
  const { output: wanted, logSumExp: lse } = want as unknown as Record<string, Tensor>;
  assert.deepEqual(bitsOf({ output, logSumExp }), bitsOf({ output: wanted, logSumExp: lse }));
}

/** A text of some spans, and its model. */
export async function text({ client, attention }: Setup, length = 2 * SPAN + 99, name = "text") {
  const sequence = await client.sequence(name);
  const model = modelOf(attention);
  const [key, value] = tokens(length, 7);
  await sequence.append(key, value);
  model.append(key, value);
  return { sequence, model };
}
