// What goes wrong: processes killed and stopped, the server too, a full disk, two clients at once, strangers.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { jetstreamManager } from "@nats-io/jetstream";
import { ShardError } from "wasm-attention/shards";
import {
  connectShards,
  NotStoredError,
  SequenceChangedError,
  type ShardedSequence,
} from "wasm-attention/shards/nats";
import { cut, decode, encode, partOf } from "../../src/shards/nats/codec";
import { bitsOf } from "../engines";
import { alike, queryOf, SPAN, setup, text, tokens } from "./model";
import { Server, type Worker } from "./server";

let server: Server;
before(async () => {
  server = await Server.start("max_payload: 65536");
});
after(() => server.end());

const later = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

test("SIGKILL of a worker while queries are under way: the same bits from the other", async () => {
  const made = await setup(server, 2);
  const { sequence, model } = await text(made);
  const calls = Array.from({ length: 40 }, (_, seed) => alike(sequence, model, 0, {}, seed));
  await later(3);
  await made.workers[0]?.kill();
  await Promise.all(calls);
  await alike(sequence, model);
  await made.workers[1]?.kill();
  await assert.rejects(sequence.attend(queryOf(1, 1)), (error: Error) => {
    assert(error instanceof ShardError);
    assert.match(error.message, /span \d: worker \d: .*; worker \d: /);
    return true;
  });
  const { missing } = await sequence.attend(queryOf(1, 1), { allowMissing: true });
  assert.deepEqual(
    missing.map(({ from, to }) => [from, to]),
    [
      [0, SPAN],
      [SPAN, 2 * SPAN],
      [2 * SPAN, 2 * SPAN + 99],
    ],
  );
});

test("SIGKILL of a worker while tokens are appended: it reads them when it is back", async () => {
  const made = await setup(server, 2);
  const { sequence, model } = await text(made, 10);
  const [first, second] = made.workers as [Worker, Worker];
  let killed: Promise<void> | undefined;
  for (let i = 0; i < 30; i++) {
    const [key, value] = tokens(400, i);
    const stored = sequence.append(key, value);
    if (i === 10) killed = first.kill();
    await stored;
    model.append(key, value);
    await alike(sequence, model);
  }
  await killed;
  await first.start();
  await second.kill();
  await alike(sequence, model);
});

test("a worker that is back reads messages of all sizes without a pause, and answers alone", async () => {
  const made = await setup(server, 2, { patience: 3000 });
  const { sequence, model } = await text(made, 10);
  const [first, second] = made.workers as [Worker, Worker];
  for (let i = 0; i < 120; i++) {
    const [key, value] = tokens(1 + ((i * 97) % 390), i);
    await sequence.append(key, value);
    model.append(key, value);
  }
  for (let round = 0; round < 3; round++) {
    await first.kill();
    await first.start();
    await second.kill();
    await alike(sequence, model, 0, {}, round);
    await second.start();
    await alike(sequence, model, 0, {}, round);
  }
});

test("SIGSTOP: the other answers, and what the slow one says later changes nothing", async () => {
  const patience = 3000;
  const made = await setup(server, 2, { patience });
  const { sequence, model } = await text(made);
  const [first] = made.workers as [Worker, Worker];
  first.signal("SIGSTOP");
  await Promise.all([1, 2, 3].map((seed) => alike(sequence, model, 0, {}, seed)));
  // Passed over from now on.
  const start = performance.now();
  await alike(sequence, model);
  assert(performance.now() - start < patience);
  const [key, value] = tokens(77, 1);
  await sequence.append(key, value);
  model.append(key, value);
  first.signal("SIGCONT");
  for (let i = 0; i < 20; i++) {
    await alike(sequence, model, 0, {}, i);
    await later(10);
  }
});

test("a query is sent as it was asked to the next worker too, whatever its memory is used for since", async () => {
  const made = await setup(server, 2, { patience: 1000 });
  const { sequence, model } = await text(made);
  const [first, second] = made.workers as [Worker, Worker];
  first.signal("SIGSTOP");
  const query = queryOf(3, 1);
  const call = sequence.attend(query);
  query.data.fill(9);
  const { output } = await call;
  const want = model.attend(queryOf(3, 1), { causal: false, queryOffset: 0 });
  assert.deepEqual(bitsOf({ output }), bitsOf({ output: want.output }));
  first.signal("SIGCONT");
  assert(second.running);
});

test("a client that dies between two parts of an append has appended nothing", async () => {
  const made = await setup(server, 2);
  const { sequence, model } = await text(made, 100);
  const manager = await jetstreamManager(made.connection);
  const stream = `SHARDS_${made.name}`;
  const count = async () => (await manager.streams.info(stream)).state.messages;
  const start = await count();
  const dying = await server.worker(
    { name: made.name, sequence: "text", count: 100_000 },
    "client.mjs",
  );
  while ((await count()) < start + 2) await later(1);
  await dying.kill();
  await later(50);
  const parts = (await count()) - start;
  assert(parts >= 2 && parts < 250, `${parts} parts`);
  await alike(sequence, model);
  await sequence.refresh();
  assert.equal(sequence.length, 100);
  const [key, value] = tokens(SPAN, 4);
  await sequence.append(key, value);
  model.append(key, value);
  await alike(sequence, model);
  const other = await connectShards(await server.connect(), made.attention, made.name);
  await alike(await other.sequence("text"), model);
});

test("a log that is full: an error that says so, nothing half-appended", async () => {
  const made = await setup(server, 2, { maximumBytes: 700_000 });
  const { sequence, model } = await text(made, 2000);
  const [key, value] = tokens(6000, 1);
  const before = sequence.length;
  await assert.rejects(sequence.append(key, value), (error: Error) => {
    assert(error instanceof NotStoredError);
    assert.match(error.message, /nothing was stored: .*maximum bytes/);
    return true;
  });
  assert.equal(sequence.length, before);
  await alike(sequence, model);
  const other = await connectShards(await server.connect(), made.attention, made.name);
  await alike(await other.sequence("text"), model);
});

test("two clients on one sequence: in order or refused, never mixed", async () => {
  const made = await setup(server, 2);
  const { sequence, model } = await text(made, 5);
  const other = await connectShards(await server.connect(), made.attention, made.name);
  const second = await other.sequence("text");
  const done: { base: number; seed: number; count: number }[] = [];
  let refused = 0;
  const run = async (mine: ShardedSequence, first: number) => {
    for (let seed = first; seed < first + 40; seed++) {
      const count = 1 + (seed % 13) * 50;
      const [key, value] = tokens(count, seed);
      try {
        await mine.append(key, value);
        done.push({ base: mine.length - count, seed, count });
      } catch (error) {
        assert(error instanceof SequenceChangedError, String(error));
        refused++;
      }
    }
  };
  await Promise.all([run(sequence, 1000), run(second, 2000)]);
  assert(refused > 0 && done.length >= 40, `${refused} refused, ${done.length} done`);
  for (const { base, seed, count } of done.sort((a, b) => a.base - b.base)) {
    assert.equal(base, model.length(0));
    model.append(...tokens(count, seed));
  }
  await sequence.refresh();
  await second.refresh();
  await alike(sequence, model);
  await alike(second, model);
});

test("strangers: another protocol, another build, garbage", async () => {
  const made = await setup(server, 2);
  const { sequence, model } = await text(made);
  const { connection, name, workers } = made;
  // One that answers in words of its own is passed over.
  await workers[0]?.kill();
  const stranger = connection.subscribe(`shards.${name}.ask.0`, {
    callback: (_, message) => void message.respond("hello"),
  });
  await alike(sequence, model);
  await workers[1]?.kill();
  await assert.rejects(sequence.attend(queryOf(1, 1)), /fewer bytes than a part has/);
  stranger.unsubscribe();
  await Promise.all(workers.map((worker) => worker.start()));
  // What is sent to a worker by a stranger harms nobody.
  const bytes = (length: number, value: number) => new Uint8Array(length).fill(value);
  const magic = Uint8Array.of(0x57, 0x41, 0x53, 0x31);
  const hostile = [
    bytes(0, 0),
    bytes(31, 255),
    bytes(60_000, 255),
    Uint8Array.of(...magic, ...bytes(16, 1), 0, 0, 0, 0, 1, 0, 0, 0, 255, 255, 255, 255),
    Uint8Array.of(...magic, ...bytes(16, 2), 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255),
    Uint8Array.of(
      ...magic,
      ...bytes(16, 3),
      0,
      0,
      0,
      0,
      1,
      0,
      0,
      0,
      4,
      0,
      0,
      0,
      255,
      255,
      255,
      255,
    ),
  ];
  for (const worker of [0, 1]) {
    for (const data of hostile) connection.publish(`shards.${name}.ask.${worker}`, data);
  }
  connection.publish(`shards.${name}.log.other`, "no entry");
  await connection.flush();
  await alike(sequence, model);
  const [key, value] = tokens(10, 1);
  await sequence.append(key, value);
  model.append(key, value);
  await alike(sequence, model);
  // Who may publish there is trusted; what is no entry is void, and said to be.
  await assert.rejects(made.client.sequence("other"), /no entry of a log/);
  // Another build is told so, unless it says that bits may differ.
  const other = encode({ sequence: "text", epoch: "", at: 0, build: "x", wait: 100, items: [] });
  const [part] = cut(other, 60_000, "0".repeat(32)) as [Uint8Array];
  const { data } = await connection.request(`shards.${name}.ask.0`, part, { timeout: 10_000 });
  const { header } = decode(new Uint8Array(partOf(data).chunk));
  assert.match(String(header.refused), /^build \d+, asked for x$/);
  for (const worker of workers) assert(worker.running);
});
