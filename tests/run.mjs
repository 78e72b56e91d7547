// node tests/run.mjs FOLDER [--all] [FLAG…]: every *.test.ts of the folder, with `--all` also of its
// folder `slow`; flags are the runner's. Node 20's runner takes no patterns, and a runner that found
// nothing must fail.
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";

const [folder, ...options] = process.argv.slice(2);
const folders = options.includes("--all") ? [folder, join(folder, "slow")] : [folder];
const flags = options.filter((option) => option !== "--all");
const files = folders.flatMap((folder) => {
  const names = readdirSync(folder).filter((name) => name.endsWith(".test.ts"));
  if (names.length === 0) throw new Error(`no tests in ${folder}`);
  return names.map((name) => join(folder, name));
});
if (folder === "tests") {
  console.log(
    "left out: browsers (npm run test:browsers), engines and platforms (npm run test:runtimes),",
  );
  console.log("shards behind a nats-server (npm run test:nats, which needs one in PATH),");
  console.log("published cases (npm run conformance -- DIR), faults put in (npm run mutants)");
}
const { status } = spawnSync(process.execPath, ["--import", "tsx", "--test", ...flags, ...files], {
  stdio: "inherit",
});
process.exit(status ?? 1);
