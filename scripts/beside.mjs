// A folder with packages of its own, and this package among them as a user has it: one copy of TensorFlow.js,
// or of NATS's clients, for both.
import { spawnSync } from "node:child_process";
import { cpSync, rmSync, statSync } from "node:fs";

export function run(command, args) {
  const { status } = spawnSync(command, args, { stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
}

const written = (path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;

/** Installs what the folder's lock says, unless it is there, and lays this package into it. */
export function layBeside(folder) {
  const installed = written(`${folder}/node_modules/.package-lock.json`);
  if (installed < written(`${folder}/package-lock.json`)) {
    run("npm", ["ci", "--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund"]);
  }
  const beside = `${folder}/node_modules/wasm-attention`;
  rmSync(beside, { recursive: true, force: true });
  for (const part of ["package.json", "dist"]) {
    cpSync(part, `${beside}/${part}`, { recursive: true });
  }
}
