// What workers put away: one that starts reads the log from there on, and the whole of it where that is no use.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Objm } from "@nats-io/obj";
import { alike, modelOf, SPAN, setup, tokens } from "./model";
import { Server, type Worker } from "./server";

let server: Server;
before(async () => {
  server = await Server.start("max_payload: 65536");
});
after(() => server.end());

const later = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

test("a worker begins after its last snapshot; a damaged one costs time alone", async () => {
  const made = await setup(server, 2, { snapshotBytes: 400_000 });
  const { attention, client, connection, name } = made;
  const [first, second] = made.workers as [Worker, Worker];
  const sequence = await client.sequence("text");
  const model = modelOf(attention);
  const add = async (count: number, seed: number) => {
    const [key, value] = tokens(count, seed);
    await sequence.append(key, value);
    model.append(key, value, { sequences: [0] });
  };
  for (let i = 0; i < 8; i++) await add(700, i);
  const fork = await sequence.fork("fork");
  const number = model.fork(0);
  for (let i = 8; i < 16; i++) await add(500, i);
  await sequence.truncate(2 * SPAN - 100);
  model.truncate(0, 2 * SPAN - 100);
  for (let i = 16; i < 20; i++) await add(600, i);
  const objects = await new Objm(connection).open(`snapshots-${name}`);
  const names = async () => (await objects.list()).map((object) => object.name);
  /** What worker 0 says of itself once it has read as far as worker 1. */
  const figures = async () => {
    for (;;) {
      const [zero, one] = await client.workers();
      if (zero && one && zero.applied === one.applied) return zero;
      await later(20);
    }
  };
  // With the other gone, its answers are all that there are.
  const alone = async () => {
    await second.kill();
    await alike(sequence, model);
    await alike(fork, model, number);
    await second.start();
  };
  assert.equal((await figures()).began, 0);
  for (let tries = 0; !(await names()).includes(`${name}/0/index`); tries++) {
    assert(tries < 200, "a snapshot is taken");
    await later(50);
  }
  for (let tries = 0; ; tries++) {
    await first.kill();
    await first.start();
    const { began, applied } = await figures();
    assert(began <= applied);
    if (began > applied / 2) break;
    assert(tries < 20, `${began} of ${applied}`);
    await later(300);
  }
  await alone();
  // Spans that no snapshot names any more are gone: those of two sequences of three spans are left.
  for (let i = 20; i < 30; i++) await add(300, i);
  await later(1000);
  const own = (await names()).filter((object) => object.startsWith(`${name}/0/`));
  assert(own.length <= 2 * (2 + 4) + 1, `${own.length} objects`);
  await first.kill();
  for (const object of own.filter((object) => !object.endsWith("/index")).slice(0, 1))
    await objects.delete(object);
  await first.start();
  assert.equal((await figures()).began, 0);
  await alone();
  // What is no snapshot at all, and what is said to be ahead of the log.
  for (const bytes of [new Uint8Array(40), new Uint8Array(0)]) {
    await first.kill();
    await objects.putBlob({ name: `${name}/0/index` }, bytes);
    await first.start();
    assert.equal((await figures()).began, 0);
    await alone();
  }
});
