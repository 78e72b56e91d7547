// npm run bench:shards: what attention over shards costs beside one attend, in one run: shards in this process
// and, where there is a nats-server, workers behind it, all on this machine. 12 heads of 64, one query; calls
// of the kinds take turns. MOST_KEYS and ROUNDS make it shorter.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpus, loadavg } from "node:os";
import { headers } from "@nats-io/nats-core";
import { type Attention, createAttention, type Tensor } from "wasm-attention";
import { cache } from "wasm-attention/cache";
import { attendSharded, localShard } from "wasm-attention/shards";
import { connectShards, createShards } from "wasm-attention/shards/nats";
import { bitsOf, randomArray, randomTensor } from "../engines";
import { ms, quantile, takeTurns } from "./measure";
import { recovery } from "./recovery";
import { Server } from "./server";

const [HEADS, SIZE, SPAN] = [12, 64, 4096];
const sizes = [4096, 16384, 65536, 131072, 262144].filter(
  (keys) => keys <= Number(process.env.MOST_KEYS ?? 262144),
);
const rounds = Number(process.env.ROUNDS ?? 40);
const query = randomTensor([1, HEADS, 1, SIZE], 1);

/** Numbers for one span, of which every span has the same. */
const some = [2, 3].map((seed) => randomArray(SPAN * SIZE, seed));

/** [1, H, rows, D] in memory that calls read in place. */
function placed(attention: Attention, rows: number, which: 0 | 1): Tensor {
  return filled(attention.allocate([1, HEADS, rows, SIZE]), rows, which);
}

function filled<T extends Tensor>(tensor: T, rows: number, which: 0 | 1): T {
  const { data } = tensor;
  const source = some[which] as Float32Array;
  for (let h = 0; h < HEADS; h++) {
    for (let row = 0; row < rows; row += SPAN) {
      const count = Math.min(SPAN, rows - row);
      data.set(source.subarray(0, count * SIZE), (h * rows + row) * SIZE);
    }
  }
  return tensor;
}

/** A span, to be appended. */
const loose = (which: 0 | 1): Tensor => {
  const data = new Float32Array(HEADS * SPAN * SIZE);
  return filled({ data, dims: [1, HEADS, SPAN, SIZE] }, SPAN, which);
};
const [key, value] = [loose(0), loose(1)];

/** Three parts of whole spans. */
const borders = (keys: number) =>
  [0, 1, 2, 3].map((i) => (i < 3 ? Math.floor(((i / 3) * keys) / SPAN) * SPAN : keys));

function report(name: string, measured: Awaited<ReturnType<typeof takeTurns>>, base: number) {
  const { times, processor } = measured[name] as (typeof measured)[string];
  const [p50, p99] = [quantile(times, 0.5), quantile(times, 0.99)];
  const over = name === "one attend" ? "" : `, ${ms(p50 - base)} over one attend`;
  console.log(`  ${name.padEnd(30)} p50 ${ms(p50)}, p99 ${ms(p99)}${over}`);
  const of = Object.entries(processor).filter(([, { ran }]) => ran >= 0.01);
  const words = of.map(
    ([who, { ran, waited }]) =>
      `${who} ${ran.toFixed(2)}${waited < 0.05 ? "" : ` (+${waited.toFixed(2)} waiting)`}`,
  );
  console.log(`    on the processor, ms a call: ${words.join(", ")}`);
  return p50;
}

/** What is asked over keys that lie behind NATS too. */
interface Beside {
  readonly attention: Attention;
  readonly keys: number;
  readonly one: () => unknown;
  readonly check: (result: { output: Tensor; logSumExp: Tensor }) => void;
  readonly numbers?: "float32" | "int8";
}

/** A query over so many workers, in turns with one attend; gives its p50. */
async function behind(server: Server, held: Beside, count: number): Promise<number> {
  const { attention, keys, one, check, numbers = "float32" } = held;
  const connection = await server.connect();
  const name = `k${keys}w${count}${numbers}`;
  const sizes = { keyValueHeads: HEADS, headSize: SIZE, numbers };
  await createShards(connection, { name, ...sizes, workers: count, replicas: 1 });
  const workers = await Promise.all(
    Array.from({ length: count }, (_, worker) => server.worker({ name, worker })),
  );
  const client = await connectShards(connection, attention, name, { patience: 60_000 });
  const text = await client.sequence("text");
  const start = performance.now();
  for (let from = 0; from < keys; from += SPAN) await text.append(key, value);
  const appended = (performance.now() - start) / 1000;
  check(await text.attend(query));
  const before = connection.stats();
  await text.attend(query);
  const after = connection.stats();
  const kind = `${count} worker${count > 1 ? "s" : ""} behind NATS${numbers === "int8" ? ", int8" : ""}`;
  const pids: Record<string, number> = { server: server.pid };
  for (const [index, { pid }] of workers.entries()) pids[`worker ${index}`] = pid;
  const kinds = { "one attend": one, [kind]: () => text.attend(query) };
  const measured = await takeTurns(kinds, pids, rounds);
  const beside = quantile(measured["one attend"]?.times ?? [], 0.5);
  const p50 = report(kind, measured, beside);
  const kB = (from: number, to: number) => `${((to - from) / 1024).toFixed(1)} kB`;
  const there = kB(before.outBytes, after.outBytes);
  const back = kB(before.inBytes, after.inBytes);
  const tokens = Math.round(keys / appended).toLocaleString("en");
  const megabytes = ((keys * HEADS * SIZE * 8) / 1e6 / appended).toFixed(0);
  console.log(
    `    one attend beside it p50 ${ms(beside)}; on the wire ${there} there, ${back} back`,
  );
  console.log(`    appended ${tokens} tokens a second, ${megabytes} MB/s`);
  for (const worker of workers) await worker.kill();
  await connection.close();
  return p50;
}

/** Bytes of a span's state. */
const stateBytes = HEADS * (SIZE + 2) * 4;

/** What a message and its answer cost by themselves, where the worker works as long as one attend does. */
async function transport(server: Server, milliseconds: number, bytes: number): Promise<void> {
  const echo = await server.worker({ name: "echo", echo: true });
  const connection = await server.connect();
  const about = headers();
  about.set("Echo", JSON.stringify({ milliseconds, bytes }));
  const ask = { headers: about, timeout: 60_000 };
  const sent = new Uint8Array(HEADS * SIZE * 4);
  const measured = await takeTurns(
    { echo: () => connection.request("echo", sent, ask) },
    { server: server.pid },
    rounds,
  );
  const p50 = quantile(measured.echo?.times ?? [], 0.5);
  console.log(
    `  a message of that size and its answer, without any attention: ${ms(p50 - milliseconds)}`,
  );
  await echo.kill();
  await connection.close();
}

const withServer = spawnSync("nats-server", ["--version"]).status === 0;
const server = withServer ? await Server.start("max_payload: 8388608") : undefined;
console.log(`${cpus()[0]?.model}, ${cpus().length} cores, Node ${process.version}`);
console.log(`load ${loadavg()[0]?.toFixed(1)} at the start: other work on the machine, if above 0`);
if (!server) console.log("no nats-server in PATH: only shards in this process");

for (const keys of sizes) {
  const attention = await createAttention({ extensions: [cache], reproducible: true });
  const [k, v] = [placed(attention, keys, 0), placed(attention, keys, 1)];
  const at = borders(keys);
  const shards = [0, 1, 2].flatMap((i) => {
    const rows = (at[i + 1] as number) - (at[i] as number);
    if (!rows) return [];
    const held = { key: placed(attention, rows, 0), value: placed(attention, rows, 1) };
    return [localShard(attention, held)];
  });
  const one = () => attention.attend(query, k, v, { logSumExp: true });
  const want = bitsOf(one());
  const check = ({ output, logSumExp }: { output: Tensor; logSumExp: Tensor }) =>
    assert.deepEqual(bitsOf({ output, logSumExp }).sort(), [...want].sort());
  check(await attendSharded(attention, query, shards));
  console.log(`\n${keys.toLocaleString("en")} keys`);
  const local = await takeTurns(
    {
      "one attend": one,
      "three shards in this process": () => attendSharded(attention, query, shards),
    },
    {},
    rounds,
  );
  const base = report("one attend", local, 0);
  report("three shards in this process", local, base);
  if (server) {
    const held = { attention, keys, one, check };
    const alone = await behind(server, held, 1);
    await transport(server, base, ((keys / SPAN) * stateBytes) | 0);
    const two = await behind(server, held, 2);
    console.log(`  two workers against one: ${(alone / two).toFixed(2)}×`);
    await behind(server, held, 3);
    if (keys === 131072) {
      const few = { ...held, numbers: "int8" as const, check: () => {} };
      const [first, both] = [await behind(server, few, 1), await behind(server, few, 2)];
      console.log(`  two workers against one, of int8: ${(first / both).toFixed(2)}×`);
    }
  }
  attention.dispose();
}
if (server) await recovery(server);
await server?.end();
