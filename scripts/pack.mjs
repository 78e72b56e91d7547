// The package as a user gets it: dist/ as it stands, packed and installed into a folder.
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("..", import.meta.url));

/** Without what `npm run` says of the package it runs in, which an npm inside would believe. */
const env = Object.fromEntries(
  Object.entries(process.env).filter(
    ([name]) => !/^npm_(config_(local_)?prefix|package|lifecycle)/.test(name),
  ),
);

export function npm(folder, ...args) {
  const quiet = ["--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"];
  return execFileSync("npm", [...args, ...quiet], { cwd: folder, env, encoding: "utf8" });
}

/** The tarball's path, and the paths of its files. */
export function pack() {
  const target = join(root, "build/package");
  mkdirSync(target, { recursive: true });
  const [packed] = JSON.parse(npm(root, "pack", "--json", "--pack-destination", target));
  const files = packed.files.map(({ path }) => path).sort();
  return { tarball: join(target, packed.filename), files };
}

/**
 * A project of a user's: the folder made anew from `template`, what its lock names, and the tarball.
 * Without a lock it has nothing but the tarball.
 */
export function consumer(folder, tarball, template) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  if (template) {
    cpSync(template, folder, { recursive: true, filter: (path) => !path.includes("node_modules") });
  }
  if (!existsSync(join(folder, "package.json"))) {
    writeFileSync(join(folder, "package.json"), '{ "private": true, "type": "module" }\n');
  }
  const locked = existsSync(join(folder, "package-lock.json"));
  if (locked) npm(folder, "ci", "--prefer-offline");
  const others = locked ? [] : ["--omit=dev"];
  npm(folder, "install", "--no-save", "--no-package-lock", "--prefer-offline", ...others, tarball);
  return folder;
}
