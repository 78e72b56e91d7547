// npm run demo:shards [-- "a question"]: sees that a nats-server is there, installs its clients and lays this
// package beside them as a user has it, then runs the demo.
import { spawnSync } from "node:child_process";
import { cpSync, rmSync } from "node:fs";

const folder = "examples/shards";
const beside = `${folder}/node_modules/wasm-attention`;

function run(...words) {
  const { status } = spawnSync(process.execPath, words, { stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
}

if (spawnSync("nats-server", ["--version"]).status !== 0) {
  console.error(
    "no nats-server in PATH: apt-get install nats-server, or see https://nats.io/download",
  );
  process.exit(2);
}
run("examples/install.mjs", folder);
run("examples/install.mjs", "examples/write/book");
rmSync(beside, { recursive: true, force: true });
for (const part of ["package.json", "dist"]) cpSync(part, `${beside}/${part}`, { recursive: true });
run("--import", "tsx", `${folder}/main.ts`, ...process.argv.slice(2));
