// node tests/size/run.mjs: kB of brotli beside what may be: programs as users write them, bundled by
// esbuild for a page, the entries of each platform with all that they load at once, and the wasm modules.
import { readFileSync } from "node:fs";
import { brotliCompressSync } from "node:zlib";
import { build } from "esbuild";

const PROGRAMS = {
  attend: 24.2,
  layer: 28.4,
  decode: 29.3,
  training: 37.1,
  block: 41.4,
  everything: 46.4,
};

/** As they lie in dist/, each with its chunks as one file. */
const ENTRIES = {
  "browser/index.js": 32.2,
  "browser/training.js": 28.5,
  "browser/positions.js": 17.4,
  "browser/cache.js": 36.1,
  "browser/weights.js": 24.2,
  "browser/blocks.js": 39.6,
  "browser/quantized.js": 22.8,
  "browser/compress.js": 20.4,
  "browser/integers.js": 25,
  "browser/shards.js": 23,
  "browser/variants.js": 49.0,
  "browser/view.js": 14,
  "view.js": 16,
  "node/index.js": 32.2,
  "browser/index.cjs": 38.8,
  "node/index.cjs": 37.8,
  "workerd/index.js": 22.4,
  "workerd/training.js": 22.1,
  "workerd/positions.js": 22,
  "workerd/cache.js": 29,
  "workerd/blocks.js": 33.1,
  "workerd/quantized.js": 18.4,
  "workerd/compress.js": 20.4,
  "workerd/integers.js": 16.5,
  "workerd/variants.js": 31.5,
  "workerd/shards.js": 27.1,
  "tfjs.js": 10.3,
  "shards-nats.js": 10.9,
  "worker.js": 1,
};

const MODULES = {
  core: 9.5,
  training: 6.3,
  positions: 1.2,
  cache: 11.3,
  blocks: 6.3,
  variants: 19.3,
  quantized: 7.3,
  integers: 12.2,
};

/** What is loaded at once: chunks by import(), those of threads, are not. */
async function bundled(entry, ...external) {
  const { outputFiles, metafile } = await build({
    entryPoints: { main: entry },
    bundle: true,
    splitting: true,
    outdir: "build/size",
    format: "esm",
    target: "es2022",
    conditions: ["browser"],
    external: ["node:*", "*.wasm?module", ...external],
    minify: true,
    write: false,
    metafile: true,
  });
  const reached = new Set(["build/size/main.js"]);
  for (const path of reached) {
    for (const { path: chunk, kind, external } of metafile.outputs[path].imports) {
      if (kind === "import-statement" && !external) reached.add(chunk);
    }
  }
  return outputFiles.filter(({ path }) => [...reached].some((chunk) => path.endsWith(chunk)));
}

const brotli = (files) =>
  files.reduce((sum, contents) => sum + brotliCompressSync(contents).length, 0) / 1000;

let over = false;
function report(name, limit, size) {
  over ||= size > limit;
  console.log(
    `${name.padEnd(28)} ${size.toFixed(1).padStart(5)} of ${String(limit).padStart(4)} kB brotli${size > limit ? ", over" : ""}`,
  );
}

for (const [name, limit] of Object.entries(PROGRAMS)) {
  const files = await bundled(`tests/size/${name}.ts`);
  report(`a program: ${name}`, limit, brotli(files.map(({ contents }) => contents)));
}
for (const [name, limit] of Object.entries(ENTRIES)) {
  const apart = name === "tfjs.js" || name === "shards-nats.js";
  const outside = apart ? ["@tensorflow/*", "@nats-io/*", "wasm-attention"] : [];
  const files = name.endsWith(".cjs")
    ? [name, name.replace("index", "shared")].map((file) => readFileSync(`dist/${file}`))
    : (await bundled(`dist/${name}`, ...outside)).map(({ contents }) => contents);
  report(name, limit, brotli(files));
}
for (const [name, limit] of Object.entries(MODULES)) {
  for (const variant of ["portable", "relaxed"]) {
    const file = `${name}.${variant}.wasm`;
    report(file, limit, brotli([readFileSync(`dist/workerd/${file}`)]));
  }
}
process.exit(over ? 1 : 0);
