// Half floats as data, on a Node that has Float16Array.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { node } from "./engines";

const root = fileURLToPath(new URL("../..", import.meta.url));

test("Float16Arrays in every argument on Node 24", () => {
  // A runner started by a runner reports to it, unless it is told nothing of it.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const args = ["--import", "tsx", "--test", "--test-reporter=tap", "tests/half-data.test.ts"];
  const { stdout, stderr } = spawnSync(node(24), args, { cwd: root, env, encoding: "utf8" });
  assert.match(stdout, /^# fail 0$/mu, stdout + stderr);
  assert.match(stdout, /^# skipped 0$/mu, stdout);
});
