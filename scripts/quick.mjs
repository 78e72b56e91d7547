// node scripts/quick.mjs [TARGET…]: the wasm targets as one edits them, all of them by default: a quarter
// of the time of `npm run build:wasm`, larger and somewhat slower modules, the same bits.
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";

const { options, targets, entries } = JSON.parse(readFileSync("asconfig.json", "utf8"));
const quick = { ...options, optimizeLevel: 2, converge: false };
mkdirSync("build", { recursive: true });
const config = "build/asconfig.json";
// Its paths are read as relative to the file.
for (const target of Object.values(targets)) target.outFile = `../${target.outFile}`;
writeFileSync(config, JSON.stringify({ targets, options: quick }));
const asked = process.argv.slice(2);
for (const target of asked.length ? asked : Object.keys(targets)) {
  const flags = ["asc", ...entries, "--config", config, "--target", target];
  const { status } = spawnSync("npx", flags, { stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
}
