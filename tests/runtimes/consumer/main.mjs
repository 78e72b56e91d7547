// Node, Deno and Bun: the package imported as anyone would, one report for each of the options given.

import { runBattery } from "./battery.js";

const reports = [];
for (const options of JSON.parse(process.argv[2])) {
  reports.push(await runBattery(options));
}
const version = globalThis.Deno?.version.deno ?? globalThis.Bun?.version ?? process.versions.node;
console.log(JSON.stringify({ version, reports }));
