// dist/: for each platform one bundle, with the plain wasm modules inside where it compiles bytes, and
// one, loaded only when asked for, with the threads where there are any; beside them the plain modules,
// the worker as files, and what src/entries has.
import { cpSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { build } from "esbuild";
import { hexWasm } from "./hex-wasm.mjs";
import { workerSource, workerText } from "./worker-source.mjs";

/** How a bundle gets its modules and its threads; the name is a condition of package.json's `imports`. */
const platforms = [
  { name: "node", threads: true },
  { name: "browser", threads: true },
  { name: "workerd", suffix: "" },
  { name: "edge-light", suffix: "?module" },
];

for (const module of ["core", "training", "positions"]) {
  for (const variant of ["portable", "relaxed"]) {
    cpSync(`build/${module}.${variant}.wasm`, `dist/${module}.${variant}.wasm`);
  }
}
cpSync("src/entries", "dist", { recursive: true });

/** What is resolved to another file of dist/. */
function apart(filter, path) {
  return {
    name: "apart",
    setup({ onResolve }) {
      onResolve({ filter }, (asked) => ({ path: path(asked.path), external: true }));
    },
  };
}

for (const { name, threads, suffix } of platforms) {
  const options = {
    bundle: true,
    format: "esm",
    target: "es2022",
    platform: "neutral",
    conditions: [name],
    mainFields: ["module", "main"],
    external: ["node:*"],
    minify: true,
    sourcemap: true,
    legalComments: "none",
  };
  const modulesApart = apart(
    /\.wasm\?module$/,
    (path) => `./${basename(path, "?module")}${suffix}`,
  );
  const threadsApart = apart(/^#threads$/, () => `./${name}-threads.js`);
  await build({
    ...options,
    entryPoints: ["src/index.ts"],
    outfile: `dist/${name}.js`,
    plugins: [threads ? threadsApart : modulesApart, hexWasm],
  });
  if (!threads) continue;
  await build({
    ...options,
    entryPoints: ["src/threads.ts"],
    outfile: `dist/${name}-threads.js`,
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
