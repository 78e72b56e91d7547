// Scratch projects under build/bundlers, each with its bundler and the packed package.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { consumer, pack, root } from "../../scripts/pack.mjs";
import { quiet } from "../quiet";
import { serving as started } from "../serving";

const { tarball } = pack();
const made = new Map<string, string>();

/** The folder of a project, made at its first use, with `page` (see projects/sources) as its main.js. */
export function project(name: string, page: "page" | "worker-page" = "page"): string {
  const templates = join(root, "tests/bundlers/projects");
  const folder =
    made.get(name) ?? consumer(join(root, "build/bundlers", name), tarball, join(templates, name));
  made.set(name, folder);
  cpSync(join(templates, "sources"), folder, { recursive: true });
  cpSync(join(folder, `${page}.js`), join(folder, "main.js"));
  // Parcel trips over its own cache when a page changes.
  for (const built of ["dist", ".parcel-cache"]) {
    rmSync(join(folder, built), { recursive: true, force: true });
  }
  return folder;
}

const program = (folder: string, name: string) => join(folder, "node_modules/.bin", name);
const env = { ...process.env, ...quiet };

/** Runs a bundler to its end; what it says must not warn of the package. */
export function bundle(folder: string, name: string, ...args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(program(folder, name), args, {
    cwd: folder,
    env,
    encoding: "utf8",
  });
  const said = stdout + stderr;
  assert.equal(status, 0, String(error ?? said));
  assert.doesNotMatch(said, /(warn|error|critical).*wasm-attention/i);
  return said;
}

/** Runs a bundler's own server until `look` has looked at the address it prints. */
export function serving(
  folder: string,
  [name, ...args]: string[],
  look: (address: string) => Promise<void>,
): Promise<void> {
  return started(program(folder, name), args, { cwd: folder }, look);
}
