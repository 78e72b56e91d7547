// A process of the demos: it embeds sentences, a job for whoever is free, and holds the spans of its number,
// where it has one.

import { connect } from "@nats-io/transport-node";
import { createAttention } from "wasm-attention";
import { cache } from "wasm-attention/cache";
import { serveShards } from "wasm-attention/shards/nats";
import { serveEmbeddings } from "./embeddings";

const { port, name, worker } = JSON.parse(process.argv[2]);
const connection = await connect({ port, maxReconnectAttempts: -1 });
await serveEmbeddings(connection, name);
if (worker !== undefined) {
  const attention = await createAttention({ extensions: [cache], reproducible: true });
  await serveShards(connection, attention, { name, worker });
}
await connection.flush();
console.log("ready");
