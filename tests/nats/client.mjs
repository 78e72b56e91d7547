// A process that appends, to be killed in the middle.
import { connect } from "@nats-io/transport-node";
import { createAttention } from "wasm-attention";
import { connectShards } from "wasm-attention/shards/nats";

const { port, name, sequence, count } = JSON.parse(process.argv[2]);
const connection = await connect({ port });
const client = await connectShards(connection, await createAttention(), name);
const text = await client.sequence(sequence);
console.log("ready");
const { keyValueHeads, headSize, valueSize } = client.deployment;
const of = (size) => ({
  data: new Float32Array(keyValueHeads * count * size).fill(0.5),
  dims: [1, keyValueHeads, count, size],
});
await text.append(of(headSize), of(valueSize));
console.log("done");
