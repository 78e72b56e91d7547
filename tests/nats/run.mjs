// npm run test:nats, npm run bench:shards: installs the clients of NATS once and lays this package beside them as a user has it,
// checks the types, then runs the tests with a nats-server of their own; with --bench the benchmark.
import { spawnSync } from "node:child_process";
import { layBeside, run } from "../../scripts/beside.mjs";

const folder = "tests/nats";
layBeside(folder);

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
