// Vite before 8, on Rollup: its workers are of a format that cannot hold a second file, unless told.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { assertComputes, launch, served } from "../page";
import { bundle, project } from "../project";

for (const page of ["page", "worker-page"] as const) {
  test(`Vite 7, ${page}`, async () => {
    const folder = project("vite7", page);
    if (page === "worker-page") {
      const config = 'export default { worker: { format: "es" } };\n';
      writeFileSync(join(folder, "vite.config.js"), config);
    }
    bundle(folder, "vite", "build");
    const browser = await launch();
    try {
      await served(join(folder, "dist"), (address) => assertComputes(browser, address));
    } finally {
      await browser.close();
    }
  });
}
