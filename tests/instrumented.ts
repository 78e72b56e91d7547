// The package bundled with its arena in reach: to fail an allocation that would succeed, or to say where
// a block lies.

import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import type * as package_ from "wasm-attention";
import { hexWasm } from "../scripts/hex-wasm.mjs";
import { workerSource } from "../scripts/worker-source.mjs";
import type { Arena } from "../src/memory/arena";

export async function instrumented(name: string) {
  const outfile = fileURLToPath(new URL(`../build/tests/${name}.mjs`, import.meta.url));
  await build({
    stdin: {
      contents: 'export * from "./src/index"; export { Arena } from "./src/engine/arena";',
      resolveDir: fileURLToPath(new URL("..", import.meta.url)),
    },
    bundle: true,
    outfile,
    target: "es2022",
    format: "esm",
    platform: "neutral",
    conditions: ["node"],
    mainFields: ["module", "main"],
    external: ["node:*"],
    plugins: [hexWasm, workerSource],
  });
  return (await import(outfile)) as typeof package_ & { Arena: typeof Arena };
}
