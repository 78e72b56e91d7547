// dist/: for each platform one bundle, with the plain wasm modules inside where it compiles bytes, and
// one, loaded only when asked for, with the threads where there are any; beside them the plain modules,
// the worker as files, and what src/entries has.
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { build } from "esbuild";
import { breakLines } from "./break-lines.mjs";
import { hexWasm } from "./hex-wasm.mjs";
import { leanLoader } from "./lean-loader.mjs";
import { workerSource, workerText } from "./worker-source.mjs";

/** The syntax of the oldest engines that have SIMD. */
const ENGINES = ["node20", "chrome91", "firefox90", "safari16.4"];

/**
 * How a bundle gets its modules and its threads; the name is a condition of package.json's `imports`.
 * By `require` it has all inside: Jest has no `import()`, and webpack 4 knows no syntax after ES2019.
 */
const platforms = [
  { name: "node", threads: true },
  { name: "node", threads: true, required: { platform: "node" } },
  { name: "browser", threads: true },
  { name: "browser", threads: true, required: { target: "es2019" } },
  { name: "workerd" },
  { name: "edge-light" },
];

mkdirSync("dist", { recursive: true });
for (const variant of ["portable", "relaxed"])
  cpSync(`build/${variant}.wasm`, `dist/${variant}.wasm`);
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

/** One file of dist/, as an ES module with its source map, or as CommonJS. */
async function bundle(entry, name, { required, ...options }) {
  const outfile = `dist/${name}.${required ? "cjs" : "js"}`;
  const { outputFiles } = await build({
    bundle: true,
    format: required ? "cjs" : "esm",
    target: ENGINES,
    platform: "neutral",
    mainFields: ["module", "main"],
    minify: true,
    sourcemap: required ? false : "external",
    legalComments: "none",
    ...options,
    ...required,
    entryPoints: [entry],
    outfile,
    write: false,
  });
  const text = (ending) => outputFiles.find(({ path }) => path.endsWith(ending))?.text;
  const sources = text(".map");
  const { code, map } = breakLines(text("js"), sources && JSON.parse(sources));
  if (!map) return writeFileSync(outfile, code);
  writeFileSync(`${outfile}.map`, JSON.stringify(map));
  writeFileSync(outfile, `${code}//# sourceMappingURL=${name}.js.map\n`);
}

for (const { name, threads, required } of platforms) {
  const options = { conditions: [name], external: ["node:*"], required };
  const modulesApart = apart(/\.wasm\?module$/, (path) => `./${basename(path)}`);
  const threadsApart = apart(/^#threads$/, () => `./${name}-threads.${required ? "cjs" : "js"}`);
  await bundle("src/index.ts", name, {
    ...options,
    // Jest has no import() of its own; webpack 4 makes a file of its own of it.
    supported: required ? { "dynamic-import": name === "browser" } : {},
    plugins: [threads ? threadsApart : modulesApart, hexWasm, leanLoader],
  });
  if (!threads) continue;
  await bundle("src/threads.ts", `${name}-threads`, {
    ...options,
    plugins: [hexWasm, leanLoader, workerSource],
  });
}

// The engine is the main entry's, and the tensors are those of the TensorFlow.js beside it.
for (const required of [undefined, { platform: "node" }]) {
  await bundle("src/tfjs/index.ts", "tfjs", {
    external: ["wasm-attention", "@tensorflow/*"],
    required,
  });
}

// For a Node that does not load ES modules by `require`: one copy, however it is asked for.
for (const name of ["node", "tfjs"]) {
  writeFileSync(`dist/${name}.mjs`, `export * from "./${name}.cjs";\n`);
}

// `module` of the manifest: for bundlers that know no `exports`, and no syntax after ES2019.
writeFileSync("dist/legacy.js", 'export * from "./browser.cjs";\n');

writeFileSync(
  "dist/worker.js",
  `${workerText()}onmessage = ({ data }) => worker.work(data, postMessage);\nexport {};\n`,
);
