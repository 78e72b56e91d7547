// Shards in real processes behind a real nats-server have the bits of one attend.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { headers, type NatsConnection } from "@nats-io/nats-core";
import { ArgumentError, type AttendOptions, createAttention, type Tensor } from "wasm-attention";
import {
  connectCalls,
  connectShards,
  createShards,
  SequenceChangedError,
  serveCalls,
  serveShards,
} from "wasm-attention/shards/nats";
import { partOf } from "../../src/shards/nats/codec";
import { bitsOf } from "../engines";
import { alike, modelOf, queryOf, SPAN, setup, sizes, text, tokens } from "./model";
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

test("forks of what another has changed are void for everybody", async () => {
  const { name, attention, client, connection } = await setup(server, 2);
  const other = await connectShards(await server.connect(), attention, name);
  const sequence = await client.sequence("a");
  const model = modelOf(attention);
  const [key, value] = tokens(SPAN + 50, 1);
  await sequence.append(key, value);
  model.append(key, value);
  const seen = await other.sequence("a");
  await sequence.truncate(40);
  model.truncate(0, 40);
  // Its look at the source is old.
  await assert.rejects(seen.fork("b"), (error: Error) => {
    assert(error instanceof SequenceChangedError);
    assert.match(error.message, /a was changed by another, and has 40 tokens/);
    return true;
  });
  await alike(seen, model);
  const again = await client.sequence("b");
  assert.equal(again.length, 0);
  const [more, rest] = tokens(30, 2);
  await again.append(more, rest);
  const number = model.begin();
  model.append(more, rest, { sequences: [number] });
  await alike(again, model, number);
  // What was only appended to meanwhile is the same.
  await sequence.append(more, rest);
  await alike(await seen.fork("c"), model);
  model.append(more, rest, { sequences: [0] });
  await alike(sequence, model);
  // One who died before it saw that its fork is void.
  const about = headers();
  about.set(
    "Shards",
    JSON.stringify({
      ...{ op: "fork", id: "x", epoch: "x", base: 0, length: 50, part: 0, of: 1 },
      ...{ source: "a", sourceEpoch: "before", sourceLast: 1 },
    }),
  );
  await jetstream(connection).publish(`shards.${name}.log.d`, "", { headers: about });
  const dead = await other.sequence("d");
  assert.equal(dead.length, 0);
  await dead.append(more, rest);
  await alike(dead, model, number);
  // Released by another; and a name that has no tokens, but is taken.
  await sequence.release();
  await assert.rejects(seen.fork("e"), SequenceChangedError);
  await dead.truncate(0);
  await assert.rejects(again.fork("d"), /"name" expected a name of no sequence, got "d"/);
  // So it stays where somebody died between the parts of an append to it.
  const part = { ...{ op: "append", id: "y", base: 0, length: 9 }, part: 0, of: 2 };
  const { epoch } = await lastEntry(connection, name, "d");
  about.set("Shards", JSON.stringify({ ...part, epoch }));
  await jetstream(connection).publish(`shards.${name}.log.d`, "", { headers: about });
  await assert.rejects(again.fork("d"), /"name" expected a name of no sequence, got "d"/);
});

/** The last entry of a sequence in the log. */
async function lastEntry(connection: NatsConnection, name: string, sequence: string) {
  const manager = await jetstreamManager(connection);
  const query = { last_by_subj: `shards.${name}.log.${sequence}` };
  const found = await manager.streams.getMessage(`SHARDS_${name}`, query);
  return JSON.parse(found?.header.get("Shards") ?? "{}");
}

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

test("workers() is empty where none is there", async () => {
  const { client, workers } = await setup(server, 1);
  await workers[0]?.kill();
  assert.deepEqual(await client.workers(), []);
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
