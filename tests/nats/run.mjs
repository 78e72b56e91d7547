// npm run test:nats, npm run bench:shards: installs the clients of NATS once and lays this package beside them as a user has it,
// checks the types, then runs the tests with a nats-server of their own; with --bench the benchmark.
import { spawnSync } from "node:child_process";
import { cpSync, rmSync, statSync } from "node:fs";

const folder = "tests/nats";

function run(command, args) {
  const { status } = spawnSync(command, args, { stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
}

const written = (path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
const installed = written(`${folder}/node_modules/.package-lock.json`);
if (installed < written(`${folder}/package-lock.json`)) {
  run("npm", ["ci", "--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund"]);
}
const beside = `${folder}/node_modules/wasm-attention`;
rmSync(beside, { recursive: true, force: true });
for (const part of ["package.json", "dist"]) cpSync(part, `${beside}/${part}`, { recursive: true });

if (spawnSync("nats-server", ["--version"]).status !== 0) {
  console.error("no nats-server in PATH: apt-get install nats-server");
  process.exit(2);
}
if (process.argv.includes("--bench")) {
  run(process.execPath, ["--import", "tsx", `${folder}/bench.ts`]);
  process.exit();
}
run("npx", ["tsc", "-p", folder]);
run(process.execPath, ["tests/run.mjs", folder, "--test-concurrency=1", ...process.argv.slice(2)]);
