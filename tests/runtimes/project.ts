// A scratch project that has the packed package and the battery, as a user's would.

import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundleBattery } from "../battery/bundle";

const root = fileURLToPath(new URL("../..", import.meta.url));

export interface Project {
  readonly folder: string;
  remove(): void;
}

/** Packs dist/ as it is: `npm run build` comes before. */
export async function scratchProject(): Promise<Project> {
  const folder = mkdtempSync(join(tmpdir(), "wasm-attention-"));
  cpSync(new URL("consumer", import.meta.url), folder, { recursive: true });
  await bundleBattery(join(folder, "battery.js"));
  const npm = (cwd: string, ...args: string[]) =>
    execFileSync("npm", [...args, "--ignore-scripts", "--silent"], { cwd, encoding: "utf8" });
  const packed = npm(root, "pack", "--pack-destination", folder).trim();
  npm(folder, "install", "--offline", "--no-audit", "--no-fund", `./${packed}`);
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
