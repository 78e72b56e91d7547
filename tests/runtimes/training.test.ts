// Training with reproducible: true gives the bits written down on other Nodes too.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { node } from "./engines";

const root = fileURLToPath(new URL("../..", import.meta.url));

for (const major of [20, 24]) {
  test(`the translator's short training on Node ${major}`, () => {
    // A runner started by a runner reports to it, unless it is told nothing of it.
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const args = ["--import", "tsx", "--test", "--test-reporter=tap", "tests/translation.test.ts"];
    const { stdout, stderr } = spawnSync(node(major), args, { cwd: root, env, encoding: "utf8" });
    assert.match(stdout, /^ok \d+ - a short training: the same bits everywhere/mu, stdout + stderr);
    assert.match(stdout, /^# fail 0$/mu, stdout);
  });
}
