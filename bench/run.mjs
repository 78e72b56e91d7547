// npm run bench [-- --json FILE] [--engine PATH]: installs the peers once, then measures, under
// another Node if one is named.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: { engine: { type: "string", default: process.execPath }, json: { type: "string" } },
});

const run = (command, args, shell = false) => {
  const { status } = spawnSync(command, args, { stdio: "inherit", shell });
  if (status !== 0) process.exit(status ?? 1);
};

if (!existsSync("bench/peers/node_modules")) {
  run(
    "npm",
    ["ci", "--prefix", "bench/peers", "--ignore-scripts", "--no-audit", "--no-fund"],
    true,
  );
}
const json = values.json ? ["--json", values.json] : [];
run(values.engine, ["--import", "tsx", "bench/main.ts", ...json]);
