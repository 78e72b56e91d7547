// The page as a folder of static files, build/write: any server can give it out.

import { copyFileSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const target = join(here, "../../../build/write");

mkdirSync(target, { recursive: true });
for (const name of ["index.html", "write.css"]) copyFileSync(join(here, name), join(target, name));
for (const name of ["style.css", "attention-map.css"])
  copyFileSync(join(here, "../../page", name), join(target, name));
for (const name of ["model.safetensors", "report.json"])
  copyFileSync(join(here, "..", name), join(target, name));

await build({
  entryPoints: [join(here, "page.ts"), join(here, "worker.ts")],
  outdir: target,
  bundle: true,
  format: "esm",
  minify: true,
});
