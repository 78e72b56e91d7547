// dist/: one bundle per platform with the wasm inside, and the plain modules beside them.
import { cpSync } from "node:fs";
import { build } from "esbuild";

for (const variant of ["portable", "relaxed"])
  cpSync(`build/${variant}.wasm`, `dist/${variant}.wasm`);

for (const platform of ["node", "browser"]) {
  await build({
    entryPoints: ["src/index.ts"],
    outfile: `dist/${platform}.js`,
    bundle: true,
    format: "esm",
    // es2022 makes esbuild carry a base64 decoder for engines without Uint8Array.fromBase64.
    target: "es2022",
    platform: "neutral",
    conditions: [platform],
    mainFields: ["module", "main"],
    loader: { ".wasm": "binary" },
    minify: true,
    sourcemap: true,
    legalComments: "none",
  });
}
