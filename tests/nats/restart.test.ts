// The server killed and started again: what was stored, and who follows.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { AttentionCache } from "wasm-attention/cache";
import { ShardError } from "wasm-attention/shards";
import { connectShards, NotStoredError, type ShardedSequence } from "wasm-attention/shards/nats";
import { alike, modelOf, queryOf, setup, text, tokens } from "./model";
import { Server } from "./server";

let server: Server;
before(async () => {
  server = await Server.start();
});
after(() => server.end());

const later = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Once the workers read the log of a server that is back. */
async function aliveAgain(sequence: ShardedSequence, model: AttentionCache) {
  for (let tries = 0; ; tries++) {
    try {
      await alike(sequence, model);
      break;
    } catch (error) {
      if (tries > 50 || !(error instanceof ShardError)) throw error;
      await later(100);
    }
  }
}

test("an append while the server is away: whether it was stored is not claimed", async () => {
  const made = await setup(server, 2);
  const { name, attention } = made;
  const client = await connectShards(made.connection, attention, name, { storing: 500 });
  const sequence = await client.sequence("text");
  const [key, value] = tokens(10, 1);
  await sequence.append(key, value);
  const model = modelOf(attention);
  model.append(key, value);
  await server.kill();
  const [more, rest] = tokens(5, 2);
  await assert.rejects(sequence.append(more, rest), (error: Error) => {
    assert(error instanceof NotStoredError && !error.known);
    assert.match(error.message, /text: nobody says whether it was stored, refresh\(\) does: /);
    return true;
  });
  await server.run();
  for (let tries = 0; ; tries++) {
    try {
      await sequence.refresh();
      break;
    } catch (error) {
      if (tries > 50) throw error;
      await later(100);
    }
  }
  assert(sequence.length === 10 || sequence.length === 15, `${sequence.length}`);
  if (sequence.length === 15) model.append(more, rest);
  await aliveAgain(sequence, model);
  await sequence.append(more, rest);
  model.append(more, rest);
  await alike(sequence, model);
  // Workers follow a server that is back at once, not once they miss what it would have said.
  for (let round = 0; round < 3; round++) {
    await server.kill();
    await server.run();
    await later(1000);
    const at = performance.now();
    await sequence.append(more, rest);
    model.append(more, rest);
    const stored = performance.now();
    await alike(sequence, model);
    const read = performance.now() - stored;
    assert(read < 4000, `read after ${read} ms, stored after ${stored - at}`);
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
  await aliveAgain(sequence, model);
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
