// Node, Deno and Bun: the package imported as anyone would, one report for each of the options given.

import { runBattery } from "./battery.js";

const start = performance.now();
const wasmAttention = await import("wasm-attention");
const reports = [];
for (const options of JSON.parse(process.argv[2])) {
  reports.push(await runBattery(wasmAttention, options, reports.length ? undefined : start));
}
const version = globalThis.Deno?.version.deno ?? globalThis.Bun?.version ?? process.versions.node;
console.log(JSON.stringify({ version, reports }));
