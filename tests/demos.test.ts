// The command lines of all demos alike: what they do not know ends them with one line and code 2.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { test } from "node:test";

const demos = readdirSync("examples").filter((name) => existsSync(`examples/${name}/demo.ts`));

function refuses(name: string, args: readonly string[], said: RegExp): void {
  const all = ["--import", "tsx", `examples/${name}/demo.ts`, ...args];
  const { status, stdout, stderr } = spawnSync(process.execPath, all, { encoding: "utf8" });
  assert.equal(status, 2, stderr);
  assert.equal(stdout, "");
  assert.match(stderr, said);
  assert.equal(stderr.trimEnd().split("\n").length, 1, stderr);
}

test("there are three", () => {
  assert.deepEqual(demos.toSorted(), ["digits", "semantic-search", "translation"]);
});

for (const name of demos) {
  test(`${name}: an option it does not have`, () => {
    refuses(name, ["--foo"], /^Unknown option '--foo'/);
  });
}

test("numbers of steps, and words too many", () => {
  for (const steps of ["0", "1.5", "1e9"]) {
    refuses("digits", [`--steps=${steps}`], /^--steps expected a whole number from 1, got "/);
  }
  refuses("digits", ["--steps"], /^Option '--steps <value>' argument missing/);
  refuses("translation", ["--steps="], /^--steps expected a whole number from 1, got ""/);
  refuses("translation", ["--seed", "x"], /^--seed expected a whole number from 1, got "x"/);
  refuses("translation", ["more"], /^Unexpected argument 'more'/);
});
