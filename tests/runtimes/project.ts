// A scratch project that has the packed package and the battery, as a user's would.

import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { npm, pack } from "../../scripts/pack.mjs";
import { bundleBattery } from "../battery/bundle";
import { linesFor } from "../platform-lines";

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
  configureWorkerd(folder);
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** config.capnp: the lines of docs/platforms.md with the battery's, and all files of the default bundle. */
function configureWorkerd(folder: string): void {
  const dist = "node_modules/wasm-attention/dist/browser";
  const file = (name: string, path: string) => `(name = "${name}", esModule = embed "${path}"),`;
  const chunks = readdirSync(join(folder, dist)).filter((name) => name.endsWith(".js"));
  const config = readFileSync(join(folder, "config.capnp"), "utf8")
    .replace(
      "MODULES",
      linesFor("config.capnp").replace(/\]\n$/, `${file("battery.js", "battery.js")}]`),
    )
    .replace(
      "# Its chunks: CHUNKS.",
      chunks.map((name) => file(`browser/${name}`, `${dist}/${name}`)).join("\n    "),
    );
  writeFileSync(join(folder, "config.capnp"), config);
}
