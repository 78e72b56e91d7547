// Scratch projects under build/bundlers, each with its bundler and the packed package.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { cpSync } from "node:fs";
import { join } from "node:path";
import { consumer, pack, root } from "../../scripts/pack.mjs";

const { tarball } = pack();
const made = new Map<string, string>();

/** The folder of a project, made at its first use. */
export function project(name: string): string {
  const templates = join(root, "tests/bundlers/projects");
  const folder =
    made.get(name) ?? consumer(join(root, "build/bundlers", name), tarball, join(templates, name));
  made.set(name, folder);
  cpSync(join(templates, "main.js"), join(folder, "main.js"));
  return folder;
}

const program = (folder: string, name: string) => join(folder, "node_modules/.bin", name);
const env = { ...process.env, NO_COLOR: "1", FORCE_COLOR: "0" };

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

/** Runs a server until `look` has looked at the address it prints. */
export async function serving(
  folder: string,
  [name, ...args]: string[],
  look: (address: string) => Promise<void>,
): Promise<void> {
  const server = spawn(program(folder, name), args, { cwd: folder, env, detached: true });
  let said = "";
  try {
    const address = await new Promise<string>((resolve, reject) => {
      const hear = (text: Buffer) => {
        said += text;
        const [, found] = /(http:\/\/(?:127\.0\.0\.1|localhost):\d+)/.exec(said) ?? [];
        if (found) resolve(found);
      };
      server.stdout.on("data", hear);
      server.stderr.on("data", hear);
      server.on("exit", () => reject(new Error(`${name} has ended: ${said}`)));
      server.on("error", reject);
    });
    await look(address);
  } catch (error) {
    throw new Error(said, { cause: error });
  } finally {
    // With whatever it has started.
    if (server.pid && server.exitCode === null) process.kill(-server.pid);
  }
}
