// dist/: for each platform one bundle with the plain wasm modules inside and one, loaded only when
// asked for, with the threads; beside them the plain modules and the worker as files.
import { cpSync, writeFileSync } from "node:fs";
import { build } from "esbuild";
import { hexWasm } from "./hex-wasm.mjs";
import { workerSource, workerText } from "./worker-source.mjs";

for (const variant of ["portable", "relaxed"])
  cpSync(`build/${variant}.wasm`, `dist/${variant}.wasm`);

for (const platform of ["node", "browser"]) {
  const threads = `./${platform}-threads.js`;
  const threadsApart = {
    name: "threads-apart",
    setup({ onResolve }) {
      onResolve({ filter: /\/threads$/ }, () => ({ path: threads, external: true }));
    },
  };
  const options = {
    bundle: true,
    format: "esm",
    target: "es2022",
    platform: "neutral",
    conditions: [platform],
    mainFields: ["module", "main"],
    external: ["node:*"],
    minify: true,
    sourcemap: true,
    legalComments: "none",
  };
  await build({
    ...options,
    entryPoints: ["src/index.ts"],
    outfile: `dist/${platform}.js`,
    plugins: [hexWasm, threadsApart],
  });
  await build({
    ...options,
    entryPoints: ["src/threads.ts"],
    outfile: `dist/${threads}`,
    plugins: [hexWasm, workerSource],
  });
}

// The engine is the main entry's, and the tensors are those of the TensorFlow.js beside it.
await build({
  entryPoints: ["src/tfjs/index.ts"],
  outfile: "dist/tfjs.js",
  bundle: true,
  format: "esm",
  target: "es2022",
  platform: "neutral",
  external: ["wasm-attention", "@tensorflow/*"],
  minify: true,
  sourcemap: true,
  legalComments: "none",
});

writeFileSync(
  "dist/worker.js",
  `${workerText()}onmessage = ({ data }) => worker.work(data, postMessage);\nexport {};\n`,
);
