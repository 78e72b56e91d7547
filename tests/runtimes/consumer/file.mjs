// Keys and values in a file, attended to where they lie: the bits of the result.

import { createAttention, tensor } from "wasm-attention";
import { attendSharded, fileShard } from "wasm-attention/shards";

const attention = await createAttention({ reproducible: true });
const shard = await fileShard(attention, process.argv[2]);
const numbers = Float32Array.from({ length: 4 * 2 * 16 }, (_, i) => ((i * 7) % 31) / 16 - 1);
const query = tensor(numbers, [1, 4, 2, 16]);
const { output, logSumExp } = await attendSharded(attention, query, [shard], {
  causal: "lower-right",
});
await shard.close();
const bits = ({ data }) => Array.from(new Uint32Array(data.buffer, data.byteOffset, data.length));
console.log(JSON.stringify([...bits(output), ...bits(logSumExp)]));
