// node tests/run.mjs FOLDER [FLAG…]: every *.test.ts of the folder. Node 20's runner takes no patterns, and
// a runner that found nothing must fail.
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";

const [folder, ...flags] = process.argv.slice(2);
const files = readdirSync(folder)
  .filter((name) => name.endsWith(".test.ts"))
  .map((name) => join(folder, name));
if (files.length === 0) throw new Error(`no tests in ${folder}`);
const { status } = spawnSync(process.execPath, ["--import", "tsx", "--test", ...flags, ...files], {
  stdio: "inherit",
});
process.exit(status ?? 1);
