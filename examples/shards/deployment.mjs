// One worker of a deployment, by what its environment says: the program of compose.yaml and kubernetes.yaml.
//
//   NATS_URL, NATS_USER, NATS_PASSWORD, NATS_CA (a file of certificates, for TLS)
//   SHARDS     {"name":"docs","keyValueHeads":8,"headSize":128,"workers":3}, as createShards takes it
//   WORKER     its number; without, the one at the end of its host's name, as a StatefulSet gives
//   SNAPSHOTS  a bucket of the server's object store; without, a worker that starts reads the whole log

import { writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { Objm } from "@nats-io/obj";
import { connect } from "@nats-io/transport-node";
import { createAttention } from "wasm-attention";
import { cache } from "wasm-attention/cache";
import { createShards, serveShards } from "wasm-attention/shards/nats";

const { NATS_URL, NATS_USER, NATS_PASSWORD, NATS_CA, SHARDS, WORKER, SNAPSHOTS, READY } =
  process.env;
const worker = Number(WORKER ?? hostname().match(/-(\d+)$/)?.[1]);
if (!SHARDS || !Number.isInteger(worker)) {
  console.error("SHARDS and WORKER are needed, see examples/shards/deployment.mjs");
  process.exit(2);
}
const options = JSON.parse(SHARDS);
const connection = await connect({
  servers: NATS_URL,
  user: NATS_USER,
  pass: NATS_PASSWORD,
  ...(NATS_CA && { tls: { caFile: NATS_CA } }),
  // Nobody but this user may hear what it is answered.
  inboxPrefix: "_INBOX_worker",
  maxReconnectAttempts: -1,
  waitOnFirstConnect: true,
});
await createShards(connection, options);
const snapshots = SNAPSHOTS ? await new Objm(connection).create(SNAPSHOTS) : undefined;
const attention = await createAttention({ extensions: [cache], reproducible: true });
const served = await serveShards(connection, attention, { name: options.name, worker, snapshots });
await connection.flush();
if (READY) writeFileSync(READY, "");
console.log(`worker ${worker} of ${options.name} answers`);
for (const signal of ["SIGTERM", "SIGINT"]) {
  process.once(signal, async () => {
    await served.close();
    await connection.drain();
    process.exit();
  });
}
