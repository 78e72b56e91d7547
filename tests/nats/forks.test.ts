// Forks of a sequence that others change meanwhile.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { headers, type NatsConnection } from "@nats-io/nats-core";
import { connectShards, SequenceChangedError } from "wasm-attention/shards/nats";
import { alike, modelOf, SPAN, setup, tokens } from "./model";
import { Server } from "./server";

let server: Server;
before(async () => {
  server = await Server.start();
});
after(() => server.end());

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
