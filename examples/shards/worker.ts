// A process of the demo: it embeds sentences, a job for whoever is free, and holds the spans of its number.

import { connect } from "@nats-io/transport-node";
import { createAttention, tensor } from "wasm-attention";
import { cache } from "wasm-attention/cache";
import { serveCalls, serveShards } from "wasm-attention/shards/nats";
import { createEncoder } from "../semantic-search/embedder";
import { EMBEDDING_SIZE } from "../semantic-search/encoder";

const { port, name, worker } = JSON.parse(process.argv[2]);
const connection = await connect({ port, maxReconnectAttempts: -1 });
const encoder = await createEncoder();
serveCalls(connection, {
  name,
  handlers: {
    embed({ values }) {
      const rows = encoder.encode(values as string[]);
      const data = new Float32Array(rows.length * EMBEDDING_SIZE);
      rows.forEach((row, at) => {
        data.set(row, at * EMBEDDING_SIZE);
      });
      return { tensors: { rows: tensor(data, [rows.length, EMBEDDING_SIZE]) } };
    },
  },
});
const attention = await createAttention({ extensions: [cache], reproducible: true });
await serveShards(connection, attention, { name, worker });
await connection.flush();
console.log("ready");
