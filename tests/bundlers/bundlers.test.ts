// Each bundler as its user starts it, with the packed package and without configuration.

import { execFileSync } from "node:child_process";
import { cpSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Browser } from "playwright-core";
import { assertComputes, assertResult, launch, served } from "./page";
import { bundle, project, serving } from "./project";

let browser: Browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

for (const page of ["page", "worker-page"] as const) {
  test(`Vite, built, ${page}`, async () => {
    const folder = project("vite", page);
    bundle(folder, "vite", "build");
    await served(join(folder, "dist"), (address) => assertComputes(browser, address));
  });

  test(`Vite, its development server, ${page}`, async () => {
    await serving(project("vite", page), ["vite", "--host", "127.0.0.1"], (address) =>
      assertComputes(browser, address),
    );
  });

  test(`webpack, ${page}`, async () => {
    const folder = project("webpack", page);
    bundle(folder, "webpack", "./main.js", "--mode", "production");
    cpSync(join(folder, "index.html"), join(folder, "dist/index.html"));
    await served(join(folder, "dist"), (address) => assertComputes(browser, address));
  });
}

test("Rollup", async () => {
  const folder = project("rollup");
  bundle(folder, "rollup", "main.js", "-p", "node-resolve", "-d", "dist");
  cpSync(join(folder, "index.html"), join(folder, "dist/index.html"));
  await served(join(folder, "dist"), (address) => assertComputes(browser, address));
});

for (const [name, ...options] of [["one script"], ["modules", "--format=esm", "--splitting"]]) {
  test(`esbuild, ${name}`, async () => {
    const folder = project("esbuild");
    bundle(folder, "esbuild", "main.js", "--bundle", "--outdir=dist", ...options);
    cpSync(join(folder, "index.html"), join(folder, "dist/index.html"));
    await served(join(folder, "dist"), (address) => assertComputes(browser, address));
  });
}

for (const format of ["cjs", "esm"]) {
  test(`esbuild, one file for Node, ${format}`, () => {
    const folder = project("esbuild");
    const outfile = join(folder, format === "cjs" ? "dist/program.cjs" : "dist/program.mjs");
    const options = ["--bundle", "--platform=node", `--format=${format}`, `--outfile=${outfile}`];
    bundle(folder, "esbuild", "program.js", ...options);
    assertResult(JSON.parse(execFileSync(process.execPath, [outfile], { encoding: "utf8" })));
  });
}
