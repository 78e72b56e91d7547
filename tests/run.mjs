// node tests/run.mjs FOLDER [--all]: every *.test.ts of the folder, with `--all` also of its folder
// `slow`. Node 20's runner takes no patterns, and a runner that found nothing must fail.
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";

const [folder, all] = process.argv.slice(2);
if (all && all !== "--all") throw new Error(`unknown option ${all}`);
const files = (all ? [folder, join(folder, "slow")] : [folder]).flatMap((folder) => {
  const names = readdirSync(folder).filter((name) => name.endsWith(".test.ts"));
  if (names.length === 0) throw new Error(`no tests in ${folder}`);
  return names.map((name) => join(folder, name));
});
const { status } = spawnSync(process.execPath, ["--import", "tsx", "--test", ...files], {
  stdio: "inherit",
});
process.exit(status ?? 1);
