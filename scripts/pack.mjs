// The package as a user gets it: dist/ as it stands, packed and installed into a folder.
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { absoluteLinks, proxyManifests, published } from "./manifest.mjs";

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
export function pack(target = join(root, "build/package")) {
  const listed = JSON.parse(npm(root, "pack", "--json", "--dry-run"))[0].files;
  const files = listed.map(({ path }) => path).sort();
  const staged = join(target, "staged");
  rmSync(staged, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  for (const file of files) cpSync(join(root, file), join(staged, file));
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const write = (file, text) => writeFileSync(join(staged, file), text);
  write("package.json", `${JSON.stringify(published(manifest), null, 2)}\n`);
  for (const page of files.filter((file) => file.endsWith(".md"))) {
    write(page, absoluteLinks(page, readFileSync(join(root, page), "utf8"), files, manifest));
  }
  const proxies = Object.entries(proxyManifests(manifest));
  for (const [file, proxy] of proxies) {
    mkdirSync(dirname(join(staged, file)));
    write(file, `${JSON.stringify(proxy, null, 2)}\n`);
  }
  const [packed] = JSON.parse(npm(staged, "pack", "--json", "--pack-destination", target));
  const all = [...files, ...proxies.map(([file]) => file)].sort();
  return { tarball: join(target, packed.filename), files: all };
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
