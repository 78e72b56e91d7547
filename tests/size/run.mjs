// node tests/size/run.mjs [--write]: programs as users write them, bundled by esbuild for a page, in kB of
// brotli beside what each may have.
import { brotliCompressSync } from "node:zlib";
import { build } from "esbuild";

const LIMITS = { attend: 22, layer: 25, decode: 27, training: 36, everything: 46 };

let over = false;
for (const [name, limit] of Object.entries(LIMITS)) {
  const { outputFiles } = await build({
    entryPoints: [`tests/size/${name}.ts`],
    bundle: true,
    splitting: true,
    outdir: "build/size",
    format: "esm",
    target: "es2022",
    conditions: ["browser"],
    minify: true,
    write: false,
  });
  // Chunks for threads are loaded only when asked for.
  const main = outputFiles.find(({ path }) => path.endsWith(`${name}.js`));
  const reached = new Set([main]);
  for (const file of reached) {
    for (const [, path] of file.text.matchAll(/(?:from|import)"\.\/([^"]+)"/g)) {
      reached.add(outputFiles.find((other) => other.path.endsWith(path)));
    }
  }
  const size = [...reached].reduce(
    (sum, { contents }) => sum + brotliCompressSync(contents).length,
    0,
  );
  over ||= size > limit * 1000;
  console.log(`${name.padEnd(12)} ${(size / 1000).toFixed(1).padStart(5)} of ${limit} kB brotli`);
}
process.exit(over ? 1 : 0);
