// What is wrong is refused before anything is sent, with what would have been right.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ArgumentError, createAttention, type Tensor } from "wasm-attention";
import {
  connectCalls,
  connectShards,
  createShards,
  serveCalls,
  serveShards,
} from "wasm-attention/shards/nats";
import { bitsOf } from "../engines";
import { alike, modelOf, queryOf, setup, sizes, text, tokens } from "./model";
import { Server } from "./server";

let server: Server;
before(async () => {
  server = await Server.start();
});
after(() => server.end());

test("what is wrong is refused before it is sent", async () => {
  const { name, connection, client } = await setup(server, 1);
  const sequence = await client.sequence("a");
  const [key] = tokens(2, 1);
  await assert.rejects(sequence.append(key, key), /"value.dims" expected \[1, 2, n, 12\]/);
  await assert.rejects(sequence.truncate(1), /"length" expected at most its 0 tokens/);
  await assert.rejects(client.sequence("a.b"), /"name" expected up to 64 letters/);
  await assert.rejects(sequence.attend(queryOf(1, 1), { weights: true } as object), /"weights"/);
  const empty = await sequence.attend(queryOf(1, 1));
  assert(empty.output.data.every((x) => x === 0));
  await assert.rejects(
    createShards(connection, { name, ...sizes, workers: 2 }),
    /"options" expected those of the deployment that is there/,
  );
});

test("tensors that are none are refused, and what is appended next is there", async () => {
  const { attention, client } = await setup(server, 1);
  const sequence = await client.sequence("a");
  const model = modelOf(attention);
  const [key, value] = tokens(5, 1);
  for (const [wrong, message] of [
    [{ ...key, data: key.data.subarray(1) }, /"key.data" expected 1·2·5·8 = 80 elements, got 79/],
    [{ ...key, data: new Float64Array(80) }, /"key.data" expected a Float32Array/],
    [{ ...key, dims: [2, 5, 8] }, /"key.dims" expected \[1, 2, n, 8\]/],
    [undefined, /"key.dims" expected an array of sizes/],
  ] as [Tensor, RegExp][]) {
    await assert.rejects(sequence.append(wrong, value), message);
    assert.equal(sequence.length, 0);
  }
  const many = Math.floor(2 ** 30 / (4 * 2 * 20)) + 1;
  const zeros = (size: number) => ({
    data: new Float32Array(2 * many * size),
    dims: [1, 2, many, size],
  });
  await assert.rejects(
    sequence.append(zeros(8), zeros(12)),
    /append: "key.dims" expected at most 6710886 tokens at once, 1073741824 bytes, got 6710887/,
  );
  await sequence.append(key, value);
  model.append(key, value);
  await alike(sequence, model);
});

test("a query is one sequence's, and its options are read once, when it is asked", async () => {
  const made = await setup(server, 1);
  const { sequence, model } = await text(made, 100);
  const two = { data: new Float32Array(2 * 4 * 8), dims: [2, 4, 1, 8] };
  const batch = /"query.dims" expected a batch of 1, as the shards' sequences, got B = 2/;
  await assert.rejects(sequence.attend(two), batch);
  await assert.rejects(sequence.attend(two, { keyLengths: [1, 1] }), batch);
  await assert.rejects(
    sequence.attend(queryOf(1, 1), { keyLengths: [1, 1] }),
    /"keyLengths" expected one integer for each of 1 batches/,
  );
  await assert.rejects(
    sequence.attend(queryOf(1, 1), { keyLengths: [101] }),
    /"keyLengths\[0\]" expected at most the 100 keys that there are, got 101/,
  );
  await assert.rejects(sequence.attend(queryOf(1, 1), null as never), /"options" expected/);
  let reads = 0;
  const options = {
    get allowMixed() {
      reads++;
      return false;
    },
  };
  const { output } = await sequence.attend(queryOf(1, 1), options);
  assert.equal(reads, 1);
  const want = model.attend(queryOf(1, 1), { causal: false, queryOffset: 0 });
  assert.deepEqual(bitsOf({ output }), bitsOf({ output: want.output }));
});

test("options of other values are refused, a deployment that is not there too", async () => {
  const { name, connection, attention } = await setup(server, 1);
  const create = (more: object) => () =>
    createShards(connection, { name: "x", ...sizes, workers: 1, ...more });
  const serve = (more: object) => () =>
    serveShards(connection, attention, { name, worker: 0, ...more });
  const call = (more: object) => () => connectCalls(connection, name).call("f", {}, more);
  const plain = await createAttention();
  for (const [refused, message] of [
    [
      create({ numbers: "int3" }),
      '"numbers" expected "float32", "int16", "int8", "int4", got "int3"',
    ],
    [create({ maximumBytes: -5 }), '"maximumBytes" expected an integer from 1'],
    [
      create({ headSize: 2 ** 16, keyValueHeads: 2 ** 16 }),
      '"keyValueHeads" expected one with which',
    ],
    [create({ workers: "2" }), '"workers" expected an integer from 1 to 4096, got "2"'],
    [serve({ worker: "0" }), '"worker" expected an integer from 0 to 0, got "0"'],
    [serve({ maximumQuery: 0 }), '"maximumQuery" expected an integer from 1'],
    [serve({ snapshotBytes: 0.5 }), '"snapshotBytes" expected an integer from 1'],
    [
      serve({ snapshots: {} }),
      "the functions getBlob, putBlob, delete, list, got undefined for getBlob",
    ],
    [serve({ name: "nope" }), '"name" expected a deployment that createShards made, got "nope"'],
    [
      () => serveShards(connection, plain as never, { name, worker: 0 }),
      'serveShards: "attention" expected an engine with it',
    ],
    [
      () => connectShards(connection, attention, "nope"),
      'connectShards: "name" expected a deployment that createShards made, got "nope"',
    ],
    [
      () => connectShards(attention as never, attention, name),
      '"connection" expected an object with',
    ],
    ...["x", -1, Number.NaN, Infinity].map((patience) => [
      () => connectShards(connection, attention, name, { patience } as never),
      '"patience" expected milliseconds, more than 0 and at most 600000, got ',
    ]),
    [
      () => connectShards(connection, attention, name, { storing: 0 }),
      '"storing" expected millisec',
    ],
    [
      call({ timeout: Infinity }),
      '"timeout" expected milliseconds, more than 0 and at most 600000',
    ],
    [call({ signal: 5 }), '"signal" expected an object with the functions addEventListener'],
    [async () => serveCalls(connection, { name, handlers: null as never }), "object of functions"],
    [
      async () => serveCalls(connection, { name, handlers: { f: 5 } as never }),
      '"handlers" expected an object of functions, got 5 for f',
    ],
  ] as [() => Promise<unknown>, string][]) {
    await assert.rejects(refused, (error: Error) => {
      assert(error instanceof ArgumentError, String(error));
      assert(error.message.includes(message), error.message);
      return true;
    });
  }
});

test("options that do not exist are refused with the likely name, before anything is asked", async () => {
  const { name, connection, attention } = await setup(server, 1);
  const none = "an option that does not exist";
  for (const [call, message] of [
    [
      () => createShards(connection, { name, ...sizes, workers: 1, replica: 1 } as never),
      `createShards: "replica" expected the name "replicas", got ${none}`,
    ],
    [
      () => connectShards(connection, attention, name, { patence: 5 } as never),
      `connectShards: "patence" expected the name "patience", got ${none}`,
    ],
    [
      () => serveShards(connection, attention, { name, worker: 0, snapshot: {} } as never),
      `serveShards: "snapshot" expected the name "snapshots", got ${none}`,
    ],
    [
      async () => serveCalls(connection, { name, handler: {} } as never),
      `serveCalls: "handler" expected the name "handlers", got ${none}`,
    ],
    [
      () => connectCalls(connection, name).call("f", {}, { timout: 5 } as never),
      `call: "timout" expected the name "timeout", got ${none}`,
    ],
  ] as const) {
    await assert.rejects(call, { message });
  }
});
