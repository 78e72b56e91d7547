// npm run bench:shards: what attention over shards costs beside one attend, in one run: shards in this process
// and, where there is a nats-server, workers behind it, all on this machine. 12 heads of 64, one query; calls
// of the kinds take turns.

import { spawnSync } from "node:child_process";
import { cpus } from "node:os";
import { type Attention, createAttention, type Tensor } from "wasm-attention";
import { cache } from "wasm-attention/cache";
import { attendSharded, localShard } from "wasm-attention/shards";
import { connectShards, createShards } from "wasm-attention/shards/nats";
import { randomTensor } from "../engines";
import { Server } from "./server";

const [HEADS, SIZE, SPAN] = [12, 64, 4096];
const sizes = [4096, 16384, 65536, 131072, 262144].filter(
  (keys) => keys <= Number(process.env.MOST_KEYS ?? 262144),
);
const rounds = Number(process.env.ROUNDS ?? 60);

const quantile = (times: number[], q: number) =>
  [...times].sort((a, b) => a - b)[Math.min(times.length - 1, Math.floor(q * times.length))] ?? NaN;
const ms = (value: number) => `${value.toFixed(2)} ms`;

function part({ data, dims }: Tensor, from: number, to: number): Tensor {
  const [, heads, rows, size] = dims as [number, number, number, number];
  const some = new Float32Array(heads * (to - from) * size);
  for (let h = 0; h < heads; h++) {
    const start = h * rows * size;
    some.set(data.subarray(start + from * size, start + to * size), h * (to - from) * size);
  }
  return { data: some, dims: [1, heads, to - from, size] };
}

/** In memory that calls read in place. */
function placed(attention: Attention, tensor: Tensor): Tensor {
  const allocated = attention.allocate(tensor.dims);
  allocated.data.set(tensor.data);
  return allocated;
}

/** Three parts of whole spans. */
const borders = (keys: number) =>
  [0, 1, 2, 3].map((i) => (i < 3 ? Math.floor(((i / 3) * keys) / SPAN) * SPAN : keys));

const withServer = spawnSync("nats-server", ["--version"]).status === 0;
const server = withServer ? await Server.start("max_payload: 8388608") : undefined;
console.log(`${cpus()[0]?.model}, ${cpus().length} cores, Node ${process.version}`);
if (!server) console.log("no nats-server in PATH: only shards in this process");

for (const keys of sizes) {
  const attention = await createAttention({ extensions: [cache], reproducible: true });
  const [query, key, value] = [1, keys, keys].map((rows, seed) =>
    randomTensor([1, HEADS, rows, SIZE], seed + 1),
  ) as [Tensor, Tensor, Tensor];
  const [k, v] = [placed(attention, key), placed(attention, value)];
  const at = borders(keys);
  const shards = [0, 1, 2].flatMap((i) => {
    const [from, to] = [at[i] as number, at[i + 1] as number];
    if (from === to) return [];
    const [own, its] = [part(key, from, to), part(value, from, to)];
    return [localShard(attention, { key: placed(attention, own), value: placed(attention, its) })];
  });
  const kinds: Record<string, () => unknown> = {
    "one attend": () => attention.attend(query, k, v),
    "three shards in this process": () => attendSharded(attention, query, shards),
  };
  let appends = "";
  const workers = [];
  for (const count of server ? [1, 2, 3] : []) {
    const connection = await (server as Server).connect();
    const name = `k${keys}w${count}`;
    const deployment = { keyValueHeads: HEADS, headSize: SIZE, workers: count, replicas: 1 };
    await createShards(connection, { name, ...deployment });
    for (let worker = 0; worker < count; worker++)
      workers.push(await (server as Server).worker({ name, worker }));
    const client = await connectShards(connection, attention, name, { patience: 20_000 });
    const text = await client.sequence("text");
    const start = performance.now();
    for (let from = 0; from < keys; from += SPAN) {
      const to = Math.min(from + SPAN, keys);
      await text.append(part(key, from, to), part(value, from, to));
    }
    appends = `${Math.round(keys / ((performance.now() - start) / 1000))} tokens appended a second`;
    kinds[`${count} worker${count > 1 ? "s" : ""} behind NATS`] = () => text.attend(query);
  }
  const times = new Map(Object.keys(kinds).map((kind) => [kind, [] as number[]]));
  for (let round = -5; round < rounds; round++) {
    for (const [kind, call] of Object.entries(kinds)) {
      const start = performance.now();
      await call();
      if (round >= 0) times.get(kind)?.push(performance.now() - start);
    }
  }
  const base = quantile(times.get("one attend") as number[], 0.5);
  const states = Math.ceil(keys / SPAN) * HEADS * (SIZE + 2) * 4;
  console.log(
    `\n${keys} keys: ${((HEADS * SIZE * 4) / 1024).toFixed(1)} kB of query to each worker,`,
  );
  console.log(`${(states / 1024).toFixed(1)} kB of states back${appends && `; ${appends}`}`);
  for (const [kind, own] of times) {
    const [p50, p99] = [quantile(own, 0.5), quantile(own, 0.99)];
    const over = kind === "one attend" ? "" : `, ${ms(p50 - base)} against one attend`;
    console.log(`  ${kind.padEnd(30)} p50 ${ms(p50)}, p99 ${ms(p99)}${over}`);
  }
  for (const worker of workers) await worker.kill();
  attention.dispose();
}
await server?.end();
