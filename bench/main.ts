// The whole benchmark, in the engine that runs this file: a child process per thread count, then
// memory, cold starts and sizes, and what was asked for of all that.

import { fork } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { memoryLengths } from "./cases";
import { coldStart, starts } from "./coldstart";
import { benchMemory } from "./memory";
import type { Asked, Message } from "./part";
import { tableOf } from "./peers/table";
import { cells, columns, markdownOf, type Row } from "./rows";
import { benchSize } from "./size";

const { values } = parseArgs({
  options: {
    json: { type: "string" },
    markdown: { type: "string" },
    quick: { type: "boolean", default: false },
    ops: { type: "string" },
    peers: { type: "string" },
    threads: { type: "string" },
  },
});
const { quick, threads: chosen } = values;
const [ops, peers] = [values.ops?.split(","), values.peers?.split(",")];
const wants = (op: string) => !ops || ops.includes(op);
const wanted = (peer: string) => !peers || peers.includes(peer);
const began = performance.now();
const engine = `Node ${process.versions.node} (V8 ${process.versions.v8}), ${cpus()[0].model}`;
console.log(`${engine}, ${cpus().length} cores`);

const rows: Row[] = [];
const report = (row: Row) => {
  rows.push(row);
  save();
  process.stderr.write(".");
};

/** After each row, so that what was measured outlives a later failure. */
function save(): void {
  const title = JSON.stringify(`${engine}, ${cpus().length} cores`);
  const lines = rows.map((row) => JSON.stringify(row)).join(",\n");
  if (values.json) writeFileSync(values.json, `{"engine":${title},"rows":[\n${lines}\n]}\n`);
  if (values.markdown) writeFileSync(values.markdown, `${engine}\n\n${markdownOf(rows)}`);
}

/** Everything that is timed with so many threads. */
function part(threads: number): Promise<void> {
  return new Promise((done, fail) => {
    const path = fileURLToPath(new URL("part.ts", import.meta.url));
    const asked: Asked = { threads, quick, ops, peers };
    const child = fork(path, [JSON.stringify(asked)], { execArgv: ["--import", "tsx"] });
    child.on("message", (message: Message) => {
      if ("row" in message) report(message.row);
      else console.log(message.line);
    });
    child.on("error", fail);
    child.on("exit", (code) =>
      code === 0 ? done() : fail(new Error(`the part with ${threads} threads ended with ${code}`)),
    );
  });
}

const timed = [
  "attend",
  "integers",
  "decode",
  "cache",
  "append",
  "small",
  "linear",
  "quantized",
  "layer",
  "block",
  "bart",
  "backward",
  "variants",
  "threads",
];
if (timed.some(wants)) {
  for (const threads of [1, 2].filter((count) => !chosen || chosen === `${count}`)) {
    if (threads <= cpus().length) await part(threads);
    else console.log("one core: nothing is measured with two threads");
  }
}
const relaxed = readFileSync(new URL("../dist/workerd/core.relaxed.wasm", import.meta.url));
const builds = ["portable", ...(WebAssembly.validate(relaxed) ? ["relaxed"] : [])];
if (wants("memory")) {
  benchMemory(builds, quick ? memoryLengths.slice(0, 1) : memoryLengths, wanted, report);
}
if (wants("start")) {
  const facts = { op: "start", build: builds.at(-1) ?? "", threads: 1 };
  for (const peer of (Object.keys(starts) as (keyof typeof starts)[]).filter(wanted)) {
    report({ ...facts, peer, ...coldStart(peer, quick ? 1 : 15) });
  }
}
if (wants("size")) await benchSize(report);

process.stderr.write("\n");
if (!rows.length) throw new Error("nothing was measured");
console.log(tableOf(columns, rows.map(cells)));
console.log(`${((performance.now() - began) / 60_000).toFixed(1)} minutes`);
