// A project whose tests Jest runs, with no configuration but the environment: those in JavaScript as
// Jest itself reads them, those in TypeScript by ts-jest.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { consumer, root } from "../../scripts/pack.mjs";
import { quiet } from "../quiet";
import { here, tarball } from "./packed";

/** ts-jest 27 compiles by TypeScript 4, which cannot read the types: they need 5. */
const UNTYPED = ["--globals", JSON.stringify({ "ts-jest": { diagnostics: false } })];

export function testJest(major: number): void {
  let folder: string | undefined;
  const made = () => {
    const name = `jest${major}`;
    const template = join(here, "projects", name);
    const project = consumer(join(root, "build/package", name), tarball, template);
    cpSync(join(here, "projects/jest"), project, { recursive: true });
    return project;
  };
  for (const [what, tests, ...options] of [
    ["node", "attend", "--env=node"],
    ["jsdom", "attend", "--env=jsdom"],
    ["ts-jest", "typed", "--env=node", "--preset=ts-jest", ...(major < 29 ? UNTYPED : [])],
  ]) {
    test(`Jest ${major}, ${what}`, () => {
      folder ??= made();
      const { status, stderr } = spawnSync(
        process.execPath,
        ["node_modules/jest/bin/jest.js", tests, ...options],
        { cwd: folder, env: { ...process.env, ...quiet }, encoding: "utf8" },
      );
      assert.equal(status, 0, stderr);
      assert.match(stderr, /^Test Suites: 1 passed, 1 total$/m);
    });
  }
}
