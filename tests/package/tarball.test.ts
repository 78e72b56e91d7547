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
  "layer-mask",
  "linear",
  "register",
  "scaled-dot-product",
  "suggestion",
  "values",
];

/** By `require`, see scripts/bundle.mjs; and what makes one copy of both. */
const required = ["browser", "browser-threads", "node", "node-threads", "tfjs"];
const pages = ["attention", "decoding", "engines", "platforms", "semantics", "tfjs"];

test("npm pack holds what a user needs, and nothing else", () => {
  assert.deepEqual(
    files,
    [
      "CHANGELOG.md",
      "LICENSE",
      "NOTICES.md",
      "README.md",
      "package.json",
      ...bundles.flatMap((name) => [`dist/${name}.js`, `dist/${name}.js.map`]),
      ...required.map((name) => `dist/${name}.cjs`),
      "dist/index.d.cts",
      "dist/index.d.ts",
      "dist/legacy.js",
      "dist/module.d.ts",
      "dist/node.mjs",
      "dist/portable.wasm",
      "dist/relaxed.wasm",
      "dist/worker.d.ts",
      "dist/worker.js",
      "dist/tfjs.mjs",
      "dist/tfjs/index.d.ts",
      ...declarations.map((name) => `dist/tfjs/${name}.d.cts`),
      ...pages.map((name) => `docs/${name}.md`),
      ...["masks", "memory", "online-softmax"].map((name) => `docs/pictures/${name}.svg`),
    ].sort(),
  );
});

test("every file that is run has a budget", () => {
  const budgets = JSON.parse(readFileSync(join(root, ".size-limit.json"), "utf8"));
  const limited = new Set(budgets.map(({ path }: { path: string }) => path));
  const run = files.filter((path) => /\.([cm]?js|wasm)$/.test(path));
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

test("the types of every entry, by import and by require", async () => {
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
  // The raw modules and the worker are nothing to require, and node10 knows no exports: it finds the
  // main entry alone.
  const problems = result.problems.filter((problem) => {
    if (!("entrypoint" in problem)) return true;
    const { entrypoint, resolutionKind } = problem;
    const code = entrypoint === "." || entrypoint === "./tfjs";
    if (resolutionKind === "node10") return entrypoint === ".";
    return code || resolutionKind !== "node16-cjs";
  });
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

const installed = (name: string) => join(project(name), "node_modules", manifest.name);

test("the manifest: addresses from one place, and nothing that runs or builds here", () => {
  const published = JSON.parse(readFileSync(join(installed("manifest"), "package.json"), "utf8"));
  const address = `https://github.com/${manifest.repository.replace("github:", "")}`;
  assert.deepEqual(published.repository, { type: "git", url: `git+${address}.git` });
  assert.equal(published.homepage, `${address}#readme`);
  assert.deepEqual(published.bugs, { url: `${address}/issues` });
  for (const name of ["scripts", "devDependencies", "imports"]) {
    assert.ok(manifest[name] && !(name in published), name);
  }
  for (const name of ["name", "version", "license", "exports", "main", "types", "engines"]) {
    assert.deepEqual(published[name], manifest[name], name);
  }
});

test("every link of the pages inside leads to a file inside, or to one of the repository", () => {
  const folder = installed("pages");
  const address = `https://github.com/${manifest.repository.replace("github:", "")}/`;
  let absolute = 0;
  for (const page of files.filter((path) => path.endsWith(".md"))) {
    const text = readFileSync(join(folder, page), "utf8");
    for (const [, target] of text.matchAll(/\]\(([^)#\s]+)/g)) {
      if (target.startsWith(address)) {
        const [, path] = /^(?:blob|raw)\/v[^/]+\/(.+)$/.exec(target.slice(address.length)) ?? [];
        assert.ok(existsSync(join(root, path)), target);
        absolute++;
      } else if (!/^\w+:/.test(target)) {
        assert.ok(existsSync(join(folder, page, "..", target)), `${page}: ${target}`);
      }
    }
  }
  assert.ok(absolute > 10, `${absolute}`);
});

test("the notices name whatever the sources say is another's", () => {
  const text = readFileSync(join(installed("notices"), "NOTICES.md"), "utf8");
  for (const name of ["@assemblyscript/loader", "msun", "Cephes", "Apache License"]) {
    assert.ok(text.includes(name), name);
  }
});
