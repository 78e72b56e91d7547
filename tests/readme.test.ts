// The README's code runs as it stands and prints what it says: the first block alone, then all of them.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { checkCommands, checkLinks, pageText } from "./page";

const build = new URL("../build/", import.meta.url);
const text = pageText("../README.md");
const blocks = [...text.matchAll(/```ts\n(.*?)```/gs)].map(([, code]) => code);
const FIRST = "[ 1, 8, 128, 64 ]";

function run(name: string, code: string): string[] {
  mkdirSync(build, { recursive: true });
  const file = fileURLToPath(new URL(`${name}.ts`, build));
  writeFileSync(file, code);
  const printed = execFileSync(process.execPath, ["--import", "tsx", file], { encoding: "utf8" });
  // The README's engine has relaxed SIMD, this one perhaps not.
  return printed
    .trimEnd()
    .split("\n")
    .map((line) => line.replace(/ portable$/, " relaxed"));
}

test("five lines that run", () => {
  assert.deepEqual(run("readme-first", blocks[0] as string), [`${FIRST} relaxed`]);
  assert.equal(
    (blocks[0] as string)
      .trim()
      .split("\n")
      .filter((line) => line).length,
    5,
  );
});

test("all of the README's code, and its links", () => {
  const token = "[ 1, 8, 1, 64 ]";
  assert.deepEqual(run("readme-all", blocks.join("\n")), [
    `${FIRST} relaxed`,
    "[ 1, 10, 64 ] [ 1, 4, 10, 10 ]",
    ...[1, 2, 3].map((length) => `${token} ${length}`),
  ]);
  for (const page of ["../README.md", "../bench/README.md", "../CONTRIBUTING.md"]) {
    checkLinks(page);
    checkCommands(page);
  }
});

test("the README is short", () => {
  assert.ok(text.split("\n").length <= 120);
});
