// What package.json names, installed beside it unless it is there already: 30 MB of weights once.

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const file = (name) => new URL(name, import.meta.url);
const wanted = readFileSync(file("package-lock.json"), "utf8");
const mark = file("node_modules/.package-lock.json");

if (!existsSync(mark) || !sameVersions(JSON.parse(readFileSync(mark, "utf8")))) {
  const prefix = fileURLToPath(file("."));
  const quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  execFileSync("npm", ["ci", "--prefix", prefix, ...quiet], { stdio: "inherit" });
}

function sameVersions({ packages }) {
  const { "": _, ...all } = JSON.parse(wanted).packages;
  return Object.entries(all).every(([name, { version }]) => packages[name]?.version === version);
}
