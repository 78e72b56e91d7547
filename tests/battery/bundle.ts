// The battery as one file for engines that take no TypeScript: exports runBattery, imports the package.

import { fileURLToPath } from "node:url";
import { build } from "esbuild";

export async function bundleBattery(outfile: string): Promise<void> {
  await build({
    entryPoints: [fileURLToPath(new URL("battery.ts", import.meta.url))],
    bundle: true,
    format: "esm",
    platform: "neutral",
    mainFields: ["module", "main"],
    target: "es2022",
    external: ["wasm-attention"],
    outfile,
  });
}
