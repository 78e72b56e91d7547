// Shards in real processes behind a real nats-server have the bits of one attend.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { AttendOptions } from "wasm-attention";
import { connectShards } from "wasm-attention/shards/nats";
import { partOf } from "../../src/shards/nats/codec";
import { bitsOf } from "../engines";
import { alike, modelOf, queryOf, SPAN, setup, tokens } from "./model";
import { Server } from "./server";

let server: Server;
before(async () => {
  server = await Server.start();
});
after(() => server.end());

const LENGTH = 3 * SPAN + 517;
const OPTIONS: Record<string, AttendOptions> = {
  plain: {},
  causal: { causal: true, queryOffset: LENGTH - 3 },
  window: { causal: true, queryOffset: 2 * SPAN + 4, window: { left: 100 } },
  "sinks and ALiBi": {
    sinks: [0.5, -Infinity, 3, 0],
    alibi: { slopes: [0.1, 0.2, 0.3, 1e-3], distance: "signed" },
    softcap: 9,
  },
  "a mask": {
    mask: [
      { data: Uint8Array.from({ length: LENGTH }, (_, i) => (i % 5 ? 1 : 0)), dims: [LENGTH] },
      { data: new Float32Array(12).fill(-0.5), dims: [4, 3, 1] },
    ],
  },
};

for (const workers of [1, 2, 3, 5]) {
  for (const numbers of ["float32", "int8"] as const) {
    test(`${workers} workers, ${numbers}: the bits of one cache`, async () => {
      const { attention, client, workers: all } = await setup(server, workers, { numbers });
      const sequence = await client.sequence("text");
      const model = modelOf(attention, numbers);
      for (const [index, count] of [1, 4000, 300, 0, LENGTH - 4301].entries()) {
        const [key, value] = tokens(count, index);
        await sequence.append(key, value);
        model.append(key, value);
      }
      for (const options of Object.values(OPTIONS)) await alike(sequence, model, 0, options);
      const figures = await client.workers();
      assert.deepEqual(
        figures.map(({ worker }) => worker),
        Array.from({ length: workers }, (_, i) => i),
      );
      assert.equal(
        figures.reduce((sum, { spans }) => sum + spans, 0),
        4 * client.deployment.replicas,
      );
      for (const worker of all) await worker.kill();
    });
  }
}

test("truncate, fork and release, seen by another client once it looks", async () => {
  const { name, attention, client } = await setup(server, 2);
  const other = await connectShards(await server.connect(), attention, name);
  const sequence = await client.sequence("a");
  const model = modelOf(attention);
  const [key, value] = tokens(SPAN + 100, 1);
  await sequence.append(key, value);
  model.append(key, value);
  const seen = await other.sequence("a");
  await alike(seen, model);
  const fork = await sequence.fork("b");
  const number = model.fork(0);
  await sequence.truncate(SPAN - 5);
  model.truncate(0, SPAN - 5);
  await assert.rejects(seen.attend(queryOf(1, 1)), /changed by another/);
  await seen.refresh();
  const [more, rest] = tokens(30, 2);
  await sequence.append(more, rest);
  model.append(more, rest, { sequences: [0] });
  await alike(sequence, model);
  // Tokens that were only added do not matter to whoever has not looked.
  assert.equal(seen.length, SPAN - 5);
  await seen.attend(queryOf(1, 1));
  await alike(fork, model, number);
  await alike(await other.sequence("b"), model, number);
  await assert.rejects(sequence.fork("b"), /a name of no sequence/);
  await sequence.release();
  assert.equal(sequence.length, 0);
  await alike(fork, model, number);
});

test("many rows over many spans: the answer comes in messages of bounded size", async () => {
  const { name, attention, client, connection } = await setup(server, 1, { patience: 60_000 });
  const sequence = await client.sequence("a");
  const [key, value] = tokens(4 * SPAN, 1);
  await sequence.append(key, value);
  const asked: number[] = [];
  connection.subscribe(`shards.${name}.ask.0`, {
    callback: (_, { data }) => void asked.push(partOf(data).part),
  });
  // 18 numbers for each of 4 · 65,536 rows, of each span; few of them see a key.
  const query = { data: new Float32Array(4 * 65_536 * 8), dims: [1, 4, 65_536, 8] };
  const options = { window: { left: 2, right: 2 } };
  const { output, logSumExp } = await sequence.attend(query, options);
  assert.equal(asked.filter((part) => part === 0).length, 2);
  const want = attention.attend(query, key, value, { ...options, logSumExp: true });
  assert.deepEqual(bitsOf({ output, logSumExp }), bitsOf(want));
});

test("workers() is empty where none is there", async () => {
  const { client, workers } = await setup(server, 1);
  await workers[0]?.kill();
  assert.deepEqual(await client.workers(), []);
});
