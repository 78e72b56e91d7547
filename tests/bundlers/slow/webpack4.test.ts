// webpack 4, which reads no `exports` and parses nothing after ES2019.

import { cpSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { assertComputes, launch, served } from "../page";
import { bundle, project } from "../project";

test("webpack 4", async () => {
  const folder = project("webpack4");
  bundle(folder, "webpack", "./main.js", "--mode", "production");
  cpSync(join(folder, "index.html"), join(folder, "dist/index.html"));
  const browser = await launch();
  try {
    await served(join(folder, "dist"), (address) => assertComputes(browser, address));
  } finally {
    await browser.close();
  }
});
