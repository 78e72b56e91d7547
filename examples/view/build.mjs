// The page as a folder of static files, build/view: any server can give it out.

import { copyFileSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const target = join(here, "../../build/view");

mkdirSync(target, { recursive: true });
for (const name of ["index.html", "view.css"]) copyFileSync(join(here, name), join(target, name));
copyFileSync(join(here, "../page/style.css"), join(target, "style.css"));
copyFileSync(join(here, "../write/model.safetensors"), join(target, "model.safetensors"));

await build({
  entryPoints: [join(here, "page.ts")],
  outdir: target,
  bundle: true,
  format: "esm",
  minify: true,
});
