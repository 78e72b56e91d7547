// A scratch project that has the packed package and the battery, as a user's would.

import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { npm, pack } from "../../scripts/pack.mjs";
import { bundleBattery } from "../battery/bundle";

export interface Project {
  readonly folder: string;
  remove(): void;
}

/** Packs dist/ as it is: `npm run build` comes before. */
export async function scratchProject(): Promise<Project> {
  const folder = mkdtempSync(join(tmpdir(), "wasm-attention-"));
  cpSync(new URL("consumer", import.meta.url), folder, { recursive: true });
  await bundleBattery(join(folder, "battery.js"));
  npm(folder, "install", "--offline", pack(folder).tarball);
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
