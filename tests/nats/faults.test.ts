// What goes wrong: processes killed and stopped, the server too, a full disk, two clients at once, strangers.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { jetstreamManager } from "@nats-io/jetstream";
import { type Attention, createAttention } from "wasm-attention";
import { ShardError } from "wasm-attention/shards";
import {
  connectShards,
  NotStoredError,
  SequenceChangedError,
  type ShardedSequence,
} from "wasm-attention/shards/nats";
import { alike, modelOf, queryOf, type Setup, SPAN, setup, tokens } from "./model";
import { Server, type Worker } from "./server";

let server: Server;
before(async () => {
  server = await Server.start("max_payload: 65536");
});
after(() => server.end());

const later = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** A text of some spans, and its model. */
async function text({ client, attention }: Setup, length = 2 * SPAN + 99, name = "text") {
  const sequence = await client.sequence(name);
  const model = modelOf(attention);
  const [key, value] = tokens(length, 7);
  await sequence.append(key, value);
  model.append(key, value);
  return { sequence, model };
}

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

test("SIGSTOP: the other answers, and what the slow one says later changes nothing", async () => {
  const made = await setup(server, 2, { patience: 300 });
  const { sequence, model } = await text(made);
  const [first] = made.workers as [Worker, Worker];
  first.signal("SIGSTOP");
  await Promise.all([1, 2, 3].map((seed) => alike(sequence, model, 0, {}, seed)));
  // Passed over from now on.
  const start = performance.now();
  await alike(sequence, model);
  assert(performance.now() - start < 250);
  const [key, value] = tokens(77, 1);
  await sequence.append(key, value);
  model.append(key, value);
  first.signal("SIGCONT");
  for (let i = 0; i < 20; i++) {
    await alike(sequence, model, 0, {}, i);
    await later(10);
  }
});

test("the server killed and started again: nothing that was acknowledged is lost", async () => {
  const made = await setup(server, 2);
  const { sequence, model } = await text(made);
  await server.kill();
  const call = sequence.attend(queryOf(1, 1)).catch((error) => error);
  assert(call instanceof Promise);
  await later(100);
  await server.run();
  await call;
  for (let tries = 0; ; tries++) {
    try {
      await alike(sequence, model);
      break;
    } catch (error) {
      if (tries > 50 || !(error instanceof ShardError)) throw error;
      await later(100);
    }
  }
  const [key, value] = tokens(500, 3);
  await sequence.append(key, value);
  model.append(key, value);
  await alike(sequence, model);
  // And everything at once.
  await Promise.all([server.kill(), ...made.workers.map((worker) => worker.kill())]);
  await server.run();
  await Promise.all(made.workers.map((worker) => worker.start()));
  const client = await connectShards(await server.connect(), made.attention, made.name);
  await alike(await client.sequence("text"), model);
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
  connection.publish(`shards.${name}.log.text`, "no entry");
  await connection.flush();
  await sequence.refresh().catch(() => undefined);
  const [key, value] = tokens(10, 1);
  await alike(sequence, model).catch(async () => {
    // The stranger's message is the log's last: whoever may publish there is trusted, see docs/shards.md.
  });
  assert.equal(key.dims[2], value.dims[2]);
  const fused = { ...made.attention, fused: true } as unknown as Attention;
  await assert.rejects(connectShards(connection, fused, "nobody"), /stream not found/);
  for (const worker of workers) assert(worker.running);
});

/** Seeded integers. */
function drawing(seed: number): (count: number) => number {
  let state = seed >>> 0 || 1;
  return (count) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % count;
  };
}

test("random operations against a model", async () => {
  const seed = Number(process.env.SEED ?? 20261127);
  const runs = Number(process.env.RUNS ?? 2000);
  const made = await setup(server, 3, { patience: 3000 });
  const model = modelOf(made.attention);
  const draw = drawing(seed);
  const texts: { sequence: ShardedSequence; number: number }[] = [
    { sequence: await made.client.sequence("s0"), number: 0 },
  ];
  let [forks, down] = [1, -1];
  const counts: Record<string, number> = {};
  for (let run = 0; run < runs; run++) {
    const at = draw(texts.length);
    const { sequence, number } = texts[at] as (typeof texts)[0];
    const kind = draw(200);
    let did = "append";
    try {
      if (kind < 80) {
        const [key, value] = tokens(draw(3) ? draw(40) : draw(1500), run);
        await sequence.append(key, value);
        model.append(key, value, { sequences: [number] });
      } else if (kind < 170) {
        did = "attend";
        const causal = draw(2) === 1;
        const options = causal ? { causal, queryOffset: draw(sequence.length + 1) } : {};
        const windowed = draw(2) && causal ? { ...options, window: { left: draw(5000) } } : options;
        await alike(sequence, model, number, windowed, run + 1);
      } else if (kind < 182) {
        did = "truncate";
        const length = draw(4) ? sequence.length - draw(Math.min(sequence.length, 99) + 1) : 0;
        await sequence.truncate(length);
        model.truncate(number, length);
      } else if (kind < 190 && texts.length < 6) {
        did = "fork";
        texts.push({ sequence: await sequence.fork(`s${forks++}`), number: model.fork(number) });
      } else if (kind < 195 && texts.length > 1) {
        did = "release";
        await sequence.release();
        model.release(number);
        texts.splice(at, 1);
      } else if (kind >= 197) {
        did = down < 0 ? "kill" : "restart";
        if (down < 0) {
          down = draw(3);
          await made.workers[down]?.kill();
        } else {
          await made.workers[down]?.start();
          down = -1;
        }
      }
      counts[did] = (counts[did] ?? 0) + 1;
    } catch (error) {
      throw new Error(`SEED=${seed} RUNS=${run + 1}, ${did}`, { cause: error });
    }
  }
  for (const { sequence, number } of texts) await alike(sequence, model, number);
  console.log(`# seed ${seed}: ${JSON.stringify(counts)}`);
});

test("memory is back where it was after 10,000 queries", async () => {
  const made = await setup(server, 2);
  const { sequence } = await text(made);
  const query = queryOf(1, 1);
  const memory = ({ pid }: Worker) =>
    Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
  const ask = async (count: number) => {
    for (let i = 0; i < count; i += 10)
      await Promise.all(Array.from({ length: 10 }, () => sequence.attend(query)));
  };
  await ask(2000);
  const { used, reserved } = made.attention.memory;
  const before = made.workers.map(memory);
  const figures = await made.client.workers();
  const subscriptions = () =>
    (made.connection as unknown as { protocol: { subscriptions: { subs: Map<number, object> } } })
      .protocol.subscriptions.subs.size;
  const open = subscriptions();
  await ask(10_000);
  assert.equal(made.attention.memory.used, used);
  assert.equal(made.attention.memory.reserved, reserved);
  assert.equal(subscriptions(), open);
  assert.deepEqual(await made.client.workers(), figures);
  for (const [index, worker] of made.workers.entries()) {
    const grown = memory(worker) - (before[index] as number);
    assert(grown < 32, `worker ${index}: ${grown} MB more`);
  }
});
