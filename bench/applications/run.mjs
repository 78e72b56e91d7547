// npm run bench:applications [-- NAME …] [--turns N]: what the examples' applications reach, beside what else does
// it in JavaScript. Installs what those that are named are measured against, and checks the types, then measures.
// One that falls short of its bar ends with code 1.

import { spawnSync } from "node:child_process";
import { parseArgs } from "node:util";

const here = "bench/applications";
const ci = (folder) =>
  run("npm", ["ci", "--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund"]);

const INSTALL = {
  speech() {
    run("node", ["examples/install.mjs", "examples/speech/packages"]);
    ci(`${here}/peers`);
    run("npx", ["tsc", "-p", `${here}/peers`]);
  },
  summarisation() {
    ci(`${here}/summarisers`);
    run("npm", ["run", "wordnet", "--prefix", `${here}/summarisers`]);
    run("npx", ["tsc", "-p", `${here}/summarisers`]);
  },
  see() {},
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { turns: { type: "string", default: "3" } },
});
const names = positionals.length > 0 ? positionals : Object.keys(INSTALL);
for (const name of names)
  if (!(name in INSTALL)) refuse(`expected ${Object.keys(INSTALL).join(", ")}, got "${name}"`);
if (!/^[1-9][0-9]*$/.test(values.turns))
  refuse(`--turns expected a whole number from 1, got "${values.turns}"`);
for (const name of names) INSTALL[name]();
run("node", ["--import", "tsx", `${here}/main.ts`, values.turns, ...names]);

function run(command, args) {
  const { status } = spawnSync(command, args, { stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
}

function refuse(line) {
  console.error(line);
  process.exit(2);
}
