// Many operations, and many queries.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import type { ShardedSequence } from "wasm-attention/shards/nats";
import { alike, modelOf, queryOf, setup, text, tokens } from "./model";
import { Server, type Worker } from "./server";

let server: Server;
before(async () => {
  server = await Server.start("max_payload: 65536");
});
after(() => server.end());

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
  const made = await setup(server, 3, { snapshotBytes: 300_000 });
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
      throw new Error(`SEED=${seed} RUNS=${run + 1}, ${did}: ${error}`, { cause: error });
    }
  }
  for (const { sequence, number } of texts) await alike(sequence, model, number);
  const began = (await made.client.workers()).map((worker) => worker.began);
  console.log(`# workers began in the log at ${began.join(", ")}`);
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
