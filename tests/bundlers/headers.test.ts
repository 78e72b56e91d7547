// Threads by the headers that docs/platforms.md gives, and by no others.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Browser } from "playwright-core";
import { root } from "../../scripts/pack.mjs";
import { linesFor } from "../platform-lines";
import { serving as started } from "../serving";
import { assertComputes, launch } from "./page";
import { bundle, project, serving } from "./project";

let browser: Browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

for (const page of ["page", "worker-page"] as const) {
  test(`Vite's two servers, ${page}`, async () => {
    const folder = project("vite", page);
    writeFileSync(join(folder, "vite.config.js"), linesFor("vite.config.js"));
    const look = (address: string) => assertComputes(browser, address, false);
    await serving(folder, ["vite", "--host", "127.0.0.1"], look);
    bundle(folder, "vite", "build");
    await serving(folder, ["vite", "preview", "--host", "127.0.0.1", "--port", "4273"], look);
  });
}

test("a plain server on Node", async () => {
  const folder = project("esbuild");
  const options = ["--bundle", "--outdir=dist", "--format=esm", "--splitting"];
  bundle(folder, "esbuild", "main.js", ...options);
  writeFileSync(
    join(folder, "dist/index.html"),
    '<!doctype html><script type="module" src="main.js"></script>',
  );
  const sirv = JSON.stringify(join(root, "tests/bundlers/node_modules/sirv/build.mjs"));
  writeFileSync(join(folder, "server.mjs"), linesFor("server.mjs").replace('"sirv"', sirv));
  await started(process.execPath, ["server.mjs"], { cwd: folder }, (address) =>
    assertComputes(browser, address, false),
  );
});
