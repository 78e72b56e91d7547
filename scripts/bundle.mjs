// node scripts/bundle.mjs [PLATFORM…]: dist/, or only the folders of those platforms.
//
// A folder for each platform. As ES modules, an entry for each of the package's, with the chunks they share,
// the plain wasm modules inside where the platform compiles bytes, and what threads need in chunks that are
// loaded only when asked for; by `require` an entry for each, and one file of all that they share. Beside them the
// worker as files, and what src/entries has.
import { cpSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { build } from "esbuild";
import { breakLines } from "./break-lines.mjs";
import { builds } from "./builds.mjs";
import { leanLoader } from "./lean-loader.mjs";
import { workerSource, workerText } from "./worker-source.mjs";

/** The syntax of the oldest engines that have SIMD. */
const ENGINES = ["node20", "chrome91", "firefox90", "safari16.4"];

const ENTRIES = {
  index: "src/index.ts",
  training: "src/training/index.ts",
  positions: "src/positions/index.ts",
  cache: "src/cache/index.ts",
  weights: "src/weights/index.ts",
  blocks: "src/blocks/index.ts",
  quantized: "src/quantized/index.ts",
  compress: "src/compress/index.ts",
  integers: "src/integers/index.ts",
  variants: "src/variants/index.ts",
  shards: "src/shards/index.ts",
  view: "src/view/index.ts",
};

/** Sources that are no entry's own. */
const SHARED = new RegExp(`^src/(?!(${Object.keys(ENTRIES).slice(1).join("|")})/)`);

/** Modules that are chunks of their own, for a bundler to leave out what a program does not call. */
const SEPARATE = [
  "src/attend/merge.ts",
  "src/attend/packed.ts",
  "src/layer/appended.ts",
  "src/layer/multihead.ts",
  "src/weights/libraries.ts",
  "src/linear/linear.ts",
  "src/selftest.ts",
  "src/tensor/halffloat.ts",
];

/**
 * The name is a condition of package.json's `imports`; `files`: wasm modules that lie beside, where no
 * bytes may be compiled and every file has to be named to the platform, so that there are few.
 */
const platforms = [
  { name: "node", required: { platform: "node" } },
  // webpack 4 knows no syntax after ES2019.
  { name: "browser", required: { target: "es2019" }, separate: SEPARATE },
  { name: "workerd", files: ["portable", "relaxed"] },
  { name: "edge-light", files: ["portable"] },
];

const shared = {
  bundle: true,
  target: ENGINES,
  platform: "neutral",
  mainFields: ["module", "main"],
  external: ["node:*"],
  minify: true,
  legalComments: "none",
  write: false,
};

/** Writes what was built, in lines. */
function write({ outputFiles }) {
  const maps = new Map(outputFiles.map(({ path, text }) => [path, text]));
  for (const { path, text } of outputFiles) {
    if (path.endsWith(".map")) continue;
    const sources = maps.get(`${path}.map`);
    const { code, map } = withoutBareImports(breakLines(text, sources && JSON.parse(sources)));
    if (!map) {
      writeFileSync(path, code);
      continue;
    }
    writeFileSync(`${path}.map`, JSON.stringify(map));
    writeFileSync(path, `${code}//# sourceMappingURL=${basename(path)}.map\n`);
  }
}

/** Chunks have no effects of their own: where nothing is taken from one, it need not be loaded. */
function withoutBareImports({ code, map }) {
  const lines = code.split("\n");
  const rest = lines.filter((line) => !/^import"\.\/[\w-]+\.js";$/.test(line));
  // Imports come first, and lead to no source.
  const mappings = map?.mappings.slice(lines.length - rest.length);
  return { code: rest.join("\n"), map: map && { ...map, mappings } };
}

const only = process.argv.slice(2);
for (const { name, required, files, separate = [] } of platforms) {
  if (only.length && !only.includes(name)) continue;
  const folder = `dist/${name}`;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const options = {
    ...shared,
    conditions: [name],
    plugins: [builds(files), leanLoader, workerSource],
  };
  if (files) await buildFew(folder, { ...options, format: "esm", sourcemap: "external" });
  else await buildChunks(folder, options, separate);
  for (const file of files ?? []) {
    for (const module of [
      "core",
      "training",
      "positions",
      "cache",
      "blocks",
      "variants",
      "quantized",
      "integers",
    ]) {
      cpSync(`build/${module}.${file}.wasm`, `${folder}/${module}.${file}.wasm`);
    }
  }
  if (required) await buildRequired(folder, { ...options, ...required });
}

async function buildChunks(folder, options, separate) {
  const own = Object.fromEntries(
    separate.map((path) => [`separate/${basename(path, ".ts")}`, path]),
  );
  const modules = await build({
    ...options,
    entryPoints: { ...ENTRIES, ...own },
    outdir: folder,
    format: "esm",
    splitting: true,
    chunkNames: "chunk-[hash]",
    sourcemap: "external",
  });
  // Entries of our own making only part the chunks.
  write({ outputFiles: modules.outputFiles.filter(({ path }) => !path.includes("/separate/")) });
}

/** The entries, and beside them one file of all that they share. */
async function buildFew(folder, options, extension = ".js") {
  const file = `./shared${extension}`;
  const sources = new Set();
  const shared = {
    name: "shared",
    setup({ onResolve }) {
      onResolve({ filter: /^\.{1,2}\// }, ({ path, resolveDir, importer }) => {
        if (!importer.includes("/src/")) return undefined;
        const source = relative(".", join(resolveDir, path)).replaceAll("\\", "/");
        if (!SHARED.test(source)) return undefined;
        sources.add(`export * from "./${source}";`);
        return { path: file, external: true, sideEffects: false };
      });
    },
  };
  const whole = {
    ...options,
    // What is loaded later elsewhere is but a few words here; and Jest has no import() of its own.
    supported: { "dynamic-import": false },
  };
  const entries = { ...whole, entryPoints: ENTRIES, outdir: folder };
  const plugins = [shared, ...options.plugins];
  write(await build({ ...entries, plugins, outExtension: { ".js": extension } }));
  const stdin = { contents: [...sources].sort().join("\n"), resolveDir: "." };
  write(await build({ ...whole, stdin, outfile: join(folder, file) }));
}

/** By `require`; on Node also for `import`. */
async function buildRequired(folder, options) {
  await buildFew(folder, { ...options, format: "cjs" }, ".cjs");
  if (options.platform !== "node") return;
  for (const name of Object.keys(ENTRIES)) {
    // For a Node that does not load ES modules by `require`: one copy, however it is asked for.
    writeFileSync(`${folder}/${name}.mjs`, `export * from "./${name}.cjs";\n`);
  }
}

if (only.length) process.exit();

// The engine is the main entry's, and the tensors are those of the TensorFlow.js beside it.
for (const format of ["esm", "cjs"]) {
  const outfile = `dist/tfjs.${format === "esm" ? "js" : "cjs"}`;
  write(
    await build({
      ...shared,
      entryPoints: ["src/tfjs/index.ts"],
      outfile,
      format,
      sourcemap: format === "esm" ? "external" : false,
      external: ["wasm-attention", "wasm-attention/training", "@tensorflow/*"],
      ...(format === "cjs" && { platform: "node" }),
    }),
  );
}
// The engine and its shards are the other entries', and the connection is the caller's.
for (const format of ["esm", "cjs"]) {
  const outfile = `dist/shards-nats.${format === "esm" ? "js" : "cjs"}`;
  write(
    await build({
      ...shared,
      entryPoints: ["src/shards/nats/index.ts"],
      outfile,
      format,
      sourcemap: format === "esm" ? "external" : false,
      external: ["wasm-attention", "wasm-attention/*", "@nats-io/*"],
      ...(format === "cjs" && { platform: "node" }),
    }),
  );
}
writeFileSync("dist/shards-nats.mjs", 'export * from "./shards-nats.cjs";\n');
// For a script tag: the element is there as soon as it has loaded.
const page = { entryPoints: ["src/view/script.ts"], outfile: "dist/view.js", format: "iife" };
write(await build({ ...shared, ...page, sourcemap: "external" }));
writeFileSync("dist/tfjs.mjs", 'export * from "./tfjs.cjs";\n');

// `module` of the manifest: for bundlers that know no `exports`, and no syntax after ES2019.
mkdirSync("dist/legacy", { recursive: true });
for (const name of Object.keys(ENTRIES)) {
  writeFileSync(
    `dist/legacy/${name}.js`,
    `export * from "../browser/${name}.cjs";
`,
  );
}

cpSync("src/entries", "dist", { recursive: true });
writeFileSync(
  "dist/worker.js",
  `${workerText()}onmessage = ({ data }) => worker.work(data, postMessage);\nexport {};\n`,
);
