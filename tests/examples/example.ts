// An example as a user has it: its folder under build/examples, with the packed package.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { consumer, pack, root } from "../../scripts/pack.mjs";
import { quiet } from "../quiet";

const { tarball } = pack();

export const example = (name: string): string =>
  consumer(join(root, "build/examples", name), tarball, join(root, "examples", name));

export const installed = (path: string) => join(root, "tests/examples/node_modules", path);

/** A program's output, once it has ended well. */
export function output(cwd: string, command: string, args: string[], env = {}): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd,
    env: { ...process.env, ...quiet, ...env },
    encoding: "utf8",
  });
  assert.equal(status, 0, `${command} ${args.join(" ")}: ${error ?? ""}\n${stdout}\n${stderr}`);
  return stdout;
}

export async function post(address: string, body: object | string) {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const response = await fetch(address, { method: "POST", body: text });
  return { status: response.status, answer: await response.json() };
}

export function assertNear(actual: ArrayLike<number>, expected: readonly number[], error: number) {
  assert.equal(actual.length, expected.length);
  for (const [i, value] of expected.entries()) {
    assert.ok(Math.abs(actual[i] - value) <= error, `${i}: ${actual[i]}, not ${value}`);
  }
}
