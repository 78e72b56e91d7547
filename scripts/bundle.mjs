// dist/: one bundle per platform with the wasm inside, and the plain modules beside them.
import { cpSync } from "node:fs";
import { build } from "esbuild";
import { hexWasm } from "./hex-wasm.mjs";

for (const variant of ["portable", "relaxed"])
  cpSync(`build/${variant}.wasm`, `dist/${variant}.wasm`);

for (const platform of ["node", "browser"]) {
  await build({
    entryPoints: ["src/index.ts"],
    outfile: `dist/${platform}.js`,
    bundle: true,
    format: "esm",
    target: "es2022",
    platform: "neutral",
    conditions: [platform],
    mainFields: ["module", "main"],
    plugins: [hexWasm],
    minify: true,
    sourcemap: true,
    legalComments: "none",
  });
}
