// npm run bench:applications [-- speech] [--turns N]: the examples' applications beside what else runs them in
// JavaScript, by quality and by CPU time, in turns. What falls short of its bar ends with code 1.

import { cpus } from "node:os";
import { parseArgs } from "node:util";
import type { Application } from "./application";
import { tableOf } from "./peers/table";
import { speech } from "./speech";

const APPLICATIONS: Readonly<Record<string, Application>> = { speech };

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { turns: { type: "string", default: "3" } },
});
const turns = Number(values.turns);
const named = positionals.length > 0 ? positionals : Object.keys(APPLICATIONS);
const unknown = named.filter((name) => !(name in APPLICATIONS));
if (unknown.length > 0 || !(Number.isInteger(turns) && turns > 0)) {
  console.error(
    unknown.length > 0
      ? `expected one of ${Object.keys(APPLICATIONS).join(", ")}, got ${unknown[0]}`
      : `--turns expected a whole number from 1, got "${values.turns}"`,
  );
  process.exit(2);
}

/** Of all threads of this process. */
const clock = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};
console.log(
  `Node ${process.versions.node}, ${cpus()[0].model}, one thread each, CPU time, medians of ${turns} in turns`,
);
let short = 0;
for (const name of named) {
  const { peer, run } = APPLICATIONS[name];
  const rows = await run({ turns, clock });
  if (rows.length === 0) continue;
  const head = [name, "measure", "ours", peer, "time of ours", `of ${peer}`, "theirs ÷ ours"];
  const lines = rows.map((row) => [
    row.what,
    row.measure,
    row.ours,
    row.theirs,
    row.ourTime,
    row.theirTime,
    `${row.ratio.toFixed(2)}×`,
  ]);
  console.log(tableOf(head, lines));
  for (const { what, measure, short: why } of rows) {
    if (why === undefined) continue;
    console.error(`${name}, ${what}: the ${measure} is ${why}`);
    short++;
  }
}
process.exit(short > 0 ? 1 : 0);
