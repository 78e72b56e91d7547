// What a user downloads: these files and no others, entries that exist, maps that lead to the source.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { SourceMap } from "node:module";
import { join } from "node:path";
import { test } from "node:test";
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { root } from "../../scripts/pack.mjs";
import { files, manifest, project, tarball } from "./packed";

const bundles = [
  "browser",
  "browser-threads",
  "edge-light",
  "node",
  "node-threads",
  "tfjs",
  "workerd",
];
/** Of the TensorFlow.js entry, see scripts/tfjs-declarations.mjs. */
const declarations = [
  "engine",
  "index",
  "keras",
  "layer",
  "layer-axes",
  "layer-config",
  "linear",
  "register",
  "scaled-dot-product",
  "values",
];

test("npm pack holds what a user needs, and nothing else", () => {
  assert.deepEqual(
    files,
    [
      "CHANGELOG.md",
      "LICENSE",
      "README.md",
      "package.json",
      ...bundles.flatMap((name) => [`dist/${name}.js`, `dist/${name}.js.map`]),
      "dist/index.d.ts",
      "dist/module.d.ts",
      "dist/portable.wasm",
      "dist/relaxed.wasm",
      "dist/worker.d.ts",
      "dist/worker.js",
      ...declarations.map((name) => `dist/tfjs/${name}.d.ts`),
    ].sort(),
  );
});

test("every file that is run has a budget", () => {
  const budgets = JSON.parse(readFileSync(join(root, ".size-limit.json"), "utf8"));
  const limited = new Set(budgets.map(({ path }: { path: string }) => path));
  const run = files.filter((path) => /\.(js|wasm)$/.test(path));
  assert.deepEqual(
    run.filter((path) => !limited.has(path)),
    [],
  );
});

test("no dependency comes with it", () => {
  for (const kind of ["dependencies", "optionalDependencies"]) {
    assert.equal(manifest[kind], undefined, kind);
  }
  for (const peer of Object.keys(manifest.peerDependencies)) {
    assert.equal(manifest.peerDependenciesMeta[peer].optional, true, peer);
  }
});

test("publint", async () => {
  const bytes = readFileSync(tarball);
  const { messages, pkg } = await publint({
    pack: { tarball: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) },
    level: "suggestion",
    strict: true,
  });
  assert.equal(pkg.name, manifest.name);
  assert.deepEqual(
    messages.map((message) => formatMessage(message, pkg)),
    [],
  );
});

test("the types of every entry, for those who import: bundlers and node16", async () => {
  const packed = createPackageFromTarballData(readFileSync(tarball));
  const result = await checkPackage(packed);
  assert.ok(result.types, "types are found");
  const entries = Object.keys(result.entrypoints).sort();
  const exported = Object.keys(manifest.exports).filter((entry) => entry !== "./package.json");
  assert.deepEqual(entries, ["./package.json", ...exported].sort());
  for (const entry of exported) {
    for (const resolution of ["bundler", "node16-esm"] as const) {
      const types = result.entrypoints[entry].resolutions[resolution].resolution?.fileName ?? "";
      assert.match(types, /\/dist\/(tfjs\/)?\w+\.d\.ts$/, entry);
    }
  }
  // By `require` the package is an ES module all the same, and node10 knows no exports.
  const known = ["node10", "node16-cjs"];
  const problems = result.problems.filter(
    (problem) => !("resolutionKind" in problem && known.includes(problem.resolutionKind)),
  );
  assert.deepEqual(problems, []);
});

/** A message of each bundle, where it is another than the entries'. */
const SAID: Record<string, string> = {
  "browser-threads": "a worker failed",
  "node-threads": "a worker failed",
  tfjs: "registerAttention",
};

test("source maps", () => {
  const installed = join(project("maps"), "node_modules", manifest.name);
  for (const name of bundles) {
    const lines = readFileSync(join(installed, `dist/${name}.js`), "utf8")
      .trimEnd()
      .split("\n");
    const [, map] = /^\/\/# sourceMappingURL=(.+)$/.exec(lines.at(-1) ?? "") ?? [];
    assert.equal(map, `${name}.js.map`);
    const payload = JSON.parse(readFileSync(join(installed, "dist", map), "utf8"));
    assert.equal(payload.sources.length, payload.sourcesContent.length);
    assert.ok(payload.sourcesContent.every((text: unknown) => typeof text === "string" && text));

    // A message of the source is found in the bundle, and leads back to its file and line.
    const said = SAID[name] ?? "a WebAssembly.Module";
    const line = lines.findIndex((text) => text.includes(said));
    const column = lines[line].indexOf(said);
    const found = new SourceMap(payload).findEntry(line, column);
    assert.ok("originalSource" in found);
    const source = payload.sourcesContent[payload.sources.indexOf(found.originalSource)];
    assert.ok(source.split("\n")[found.originalLine].includes(said), `${name}: ${said}`);
    const file = join(root, "dist", found.originalSource);
    assert.ok(existsSync(file), file);
    assert.equal(readFileSync(file, "utf8"), source);
  }
});
