// How long it takes until answers come again after a worker is killed, and until it is back.

import assert from "node:assert/strict";
import { createAttention } from "wasm-attention";
import { cache } from "wasm-attention/cache";
import { connectShards, createShards } from "wasm-attention/shards/nats";
import { bitsOf, randomTensor } from "../engines";
import { ms } from "./measure";
import type { Server, Worker } from "./server";

const [HEADS, SIZE, KEYS, PART] = [12, 64, 32768, 4096];

export async function recovery(server: Server): Promise<void> {
  const connection = await server.connect();
  const name = "recovery";
  const sizes = { keyValueHeads: HEADS, headSize: SIZE, workers: 3, replicas: 2 };
  await createShards(connection, { name, ...sizes });
  const workers: Worker[] = [];
  for (let worker = 0; worker < 3; worker++) workers.push(await server.worker({ name, worker }));
  const attention = await createAttention({ extensions: [cache], reproducible: true });
  const client = await connectShards(connection, attention, name);
  const text = await client.sequence("text");
  for (let from = 0; from < KEYS; from += PART) {
    const [key, value] = [1, 2].map((seed) => randomTensor([1, HEADS, PART, SIZE], seed + from));
    await text.append(key as never, value as never);
  }
  const query = randomTensor([1, HEADS, 1, SIZE], 1);
  const bits = async () => {
    const { output } = await text.attend(query);
    return bitsOf({ output });
  };
  const want = await bits();
  for (let i = 0; i < 5; i++) await bits();
  const answering = performance.now();
  await bits();
  const usual = performance.now() - answering;
  const [first] = workers as [Worker, Worker, Worker];
  await first.kill();
  const killed = performance.now();
  assert.deepEqual(await bits(), want);
  const answered = performance.now() - killed;
  const started = performance.now();
  await first.start();
  const listening = performance.now() - started;
  const { applied } = (await client.workers()).find(({ worker }) => worker === 1) ?? {};
  while ((await client.workers()).find(({ worker }) => worker === 0)?.applied !== applied);
  const back = performance.now() - started;
  assert.deepEqual(await bits(), want);
  console.log(
    `\na worker of three is killed, ${KEYS.toLocaleString("en")} keys twice: the next answer after ${ms(answered)} (${ms(usual)} before); the worker is back ${ms(listening)} after its start, and has read the log after ${ms(back)}`,
  );
  for (const worker of workers) await worker.kill();
  attention.dispose();
}
