// A process that serves a worker's spans, or another's build of them; says when it is ready.
import { Objm } from "@nats-io/obj";
import { connect } from "@nats-io/transport-node";
import { createAttention } from "wasm-attention";
import { cache } from "wasm-attention/cache";
import { serveCalls, serveShards } from "wasm-attention/shards/nats";

const { port, name, worker, calls, echo, maximumMemory, snapshotBytes } = JSON.parse(
  process.argv[2],
);
const connection = await connect({ port, reconnectTimeWait: 50, maxReconnectAttempts: -1 });
if (echo) {
  // What the transport alone costs: so many bytes back after so many milliseconds of work.
  connection.subscribe(name, {
    callback: (_, message) => {
      const { milliseconds, bytes } = JSON.parse(message.headers.get("Echo"));
      const end = performance.now() + milliseconds;
      while (performance.now() < end);
      message.respond(new Uint8Array(bytes));
    },
  });
} else if (calls) {
  serveCalls(connection, {
    name,
    handlers: {
      sum: ({ values, tensors }) => ({
        values: { who: process.pid, ...values },
        tensors: {
          sum: { data: Float32Array.of(tensors.x.data.reduce((a, b) => a + b, 0)), dims: [1] },
        },
      }),
      fail: () => {
        throw new RangeError("as asked");
      },
      wait: (_, signal) =>
        new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
    },
  });
} else {
  const attention = await createAttention({
    extensions: [cache],
    reproducible: true,
    ...(maximumMemory && { maximumMemory }),
  });
  const snapshots = snapshotBytes && (await new Objm(connection).create(`snapshots-${name}`));
  await serveShards(connection, attention, { name, worker, snapshots, snapshotBytes });
}
await connection.flush();
console.log("ready");
