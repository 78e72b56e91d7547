// npm run demo:shards [-- "a question"], npm run demo -- --workers 2: sees that a nats-server is there, installs
// its clients once and lays this package beside them as a user has it, then runs the demo.
import { spawnSync } from "node:child_process";
import { layBeside, run } from "../../scripts/beside.mjs";

const folder = "examples/shards";
if (spawnSync("nats-server", ["--version"]).status !== 0) {
  const where = "apt-get install nats-server, or see https://nats.io/download";
  console.error(`no nats-server in PATH: ${where}`);
  process.exit(2);
}
const [first, ...words] = process.argv.slice(2);
const search = first === "search";
if (!search) run(process.execPath, ["examples/install.mjs", "examples/write/book"]);
layBeside(folder);
const [program, given] = search ? ["search.ts", words] : ["main.ts", process.argv.slice(2)];
run(process.execPath, ["--import", "tsx", `${folder}/${program}`, ...given]);
