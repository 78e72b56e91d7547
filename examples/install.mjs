// node examples/install.mjs FOLDER: what its package.json names, beside it, unless it is there already.

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

const folder = process.argv[2];
const file = (name) => join(folder, name);
const wanted = readFileSync(file("package-lock.json"), "utf8");
const mark = file("node_modules/.package-lock.json");

if (!existsSync(mark) || !sameVersions(JSON.parse(readFileSync(mark, "utf8")))) {
  const quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  execFileSync("npm", ["ci", "--prefix", folder, ...quiet], { stdio: "inherit" });
}

function sameVersions({ packages }) {
  const { "": _, ...all } = JSON.parse(wanted).packages;
  return Object.entries(all).every(([name, { version }]) => packages[name]?.version === version);
}
