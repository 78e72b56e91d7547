// What a user downloads: these files and no others, entries that exist, maps that lead to the source.

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { SourceMap } from "node:module";
import { basename, join } from "node:path";
import { test } from "node:test";
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { root } from "../../scripts/pack.mjs";
import { files, manifest, project, tarball } from "./packed";

const ENTRIES = [
  "index",
  "training",
  "positions",
  "cache",
  "weights",
  "blocks",
  "variants",
  "quantized",
  "compress",
  "integers",
  "shards",
  "view",
];
const modules = (platform: string, variants: string[]) =>
  ["core", "training", "positions", "cache", "blocks", "variants", "quantized", "integers"].flatMap(
    (name) => variants.map((variant) => `dist/${platform}/${name}.${variant}.wasm`),
  );
/** Each source of an entry that has declarations of its own, see scripts/tfjs-declarations.mjs. */
const declarationsOf = (folder: string) =>
  readdirSync(join(root, folder)).map((name) => basename(name, ".ts"));

const libraries = [
  "flash-attn",
  "flashinfer",
  "ggml",
  "keras",
  "onnx",
  "onnxruntime",
  "pytorch",
  "transformers",
];
const pages = [
  ...[
    "attention",
    "blocks",
    "compress",
    "decoding",
    "engines",
    "integers",
    "models",
    "platforms",
    "quantized",
    "semantics",
    "view",
    "weights",
  ],
  "shards",
  "shards-nats",
  ...libraries.map((name) => `semantics/${name}`),
  "tfjs",
];

/** Of docs/attention.md. */
const pictures = [
  ...["masks", "online-softmax", "memory", "state", "delta", "additive", "location", "monotonic"],
  ...["entmax", "span", "differential"],
];

/** See scripts/bundle.mjs; of chunks there are some. */
const code = [
  ...["node", "browser", "workerd", "edge-light"].flatMap((platform) => {
    const shared = ["node", "browser"].includes(platform) ? "chunk-*" : "shared";
    return [...ENTRIES, shared].flatMap((name) => [
      `dist/${platform}/${name}.js`,
      `dist/${platform}/${name}.js.map`,
    ]);
  }),
  ...["shared", ...ENTRIES].flatMap((name) => [
    `dist/node/${name}.cjs`,
    `dist/browser/${name}.cjs`,
  ]),
  ...ENTRIES.flatMap((name) => [`dist/node/${name}.mjs`, `dist/legacy/${name}.js`]),
  ...modules("workerd", ["portable", "relaxed"]),
  ...modules("edge-light", ["portable"]),
  ...["dist/tfjs.cjs", "dist/tfjs.js", "dist/tfjs.js.map", "dist/tfjs.mjs", "dist/worker.js"],
  ...["cjs", "js", "js.map", "mjs"].map((ending) => `dist/shards-nats.${ending}`),
  ...["dist/view.js", "dist/view.js.map"],
];

/** The entries' declarations, and all that they reach. */
function reachedDeclarations(): string[] {
  const reached = new Set(
    ENTRIES.flatMap((name) => [`dist/types/${name}.d.ts`, `dist/types/${name}.d.cts`]),
  );
  for (const file of reached) {
    const text = readFileSync(join(root, file), "utf8");
    for (const [, target] of text.matchAll(/(?:from |import\()"(\.[^"]+)\.cjs"/g)) {
      reached.add(`${join(file, "..", target)}.d.cts`);
    }
  }
  return [...reached];
}

test("npm pack holds what a user needs, and nothing else", () => {
  const found = new Set(files.map((path) => path.replace(/chunk-\w+/, "chunk-*")));
  assert.deepEqual(
    [...found].sort(),
    [
      "CHANGELOG.md",
      "LICENSE",
      "NOTICES.md",
      "README.md",
      "package.json",
      ...ENTRIES.slice(1).map((name) => `${name}/package.json`),
      ...code,
      ...reachedDeclarations(),
      "dist/module.d.ts",
      "dist/worker.d.ts",
      "dist/tfjs/index.d.ts",
      ...declarationsOf("src/tfjs").map((name) => `dist/tfjs/${name}.d.cts`),
      "dist/shards-nats/index.d.ts",
      ...declarationsOf("src/shards/nats").map((name) => `dist/shards-nats/${name}.d.cts`),
      ...pages.map((name) => `docs/${name}.md`),
      ...pictures.map((name) => `docs/pictures/${name}.svg`),
    ].sort(),
  );
});

test("nothing inside names a folder of the machine it was made on", () => {
  for (const file of files.filter((path) => path.startsWith("dist/") && !path.endsWith(".wasm"))) {
    assert.ok(!readFileSync(join(root, file), "utf8").includes(root), file);
  }
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
      assert.match(types, /\/dist\/((tfjs|shards-nats|types)\/)?\w+\.d\.ts$/, entry);
    }
  }
  // The raw modules and the worker are nothing to require, and node10 knows no exports: it finds the
  // main entry, and those that have a folder.
  const problems = result.problems.filter((problem) => {
    if (!("entrypoint" in problem)) return true;
    const { entrypoint, resolutionKind } = problem;
    const folders = [".", ...ENTRIES.slice(1).map((name) => `./${name}`)].includes(entrypoint);
    if (resolutionKind === "node10") return folders;
    const apart = ["./tfjs", "./shards/nats"].includes(entrypoint);
    return folders || apart || resolutionKind !== "node16-cjs";
  });
  assert.deepEqual(problems, []);
});

/** What esbuild itself says, for `using` on older engines. */
const ESBUILD = ["Object not disposable", "An error was suppressed during disposal"];

test("source maps", () => {
  const dist = join(project("maps"), "node_modules", manifest.name, "dist");
  let looked = 0;
  for (const path of files.filter((file) => /^dist\/.*\.js\.map$/.test(file))) {
    const file = path.slice("dist/".length, -".map".length);
    const lines = readFileSync(join(dist, file), "utf8").trimEnd().split("\n");
    const [, map] = /^\/\/# sourceMappingURL=(.+)$/.exec(lines.at(-1) ?? "") ?? [];
    assert.equal(map, `${basename(file)}.map`);
    const payload = JSON.parse(readFileSync(join(dist, file, "..", map), "utf8"));
    assert.equal(payload.sources.length, payload.sourcesContent.length);
    assert.ok(payload.sourcesContent.every((text: unknown) => typeof text === "string" && text));

    // Texts of the sources are found in the bundle, and lead back to their file and line.
    for (const [line, text] of lines.slice(0, -1).entries()) {
      for (const { index, 1: said } of text.matchAll(/["`]([a-z][\w ,:']{16,})["`]/gi)) {
        if (ESBUILD.includes(said)) continue;
        const found = new SourceMap(payload).findEntry(line, index);
        assert.ok("originalSource" in found, `${file}: ${said}`);
        // What a bundler's plugin made, as the worker's text, is no file.
        if (/\b(text|builds):/.test(found.originalSource)) continue;
        const source = payload.sourcesContent[payload.sources.indexOf(found.originalSource)];
        const original = source.split("\n").slice(found.originalLine, found.originalLine + 2);
        assert.ok(original.join("\n").includes(said), `${file}: ${said}`);
        looked++;
        const own = join(root, "dist", file, "..", found.originalSource);
        assert.ok(existsSync(own), own);
        assert.equal(readFileSync(own, "utf8"), source);
      }
    }
  }
  assert.ok(looked > 100, `${looked}`);
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
  for (const name of [
    "name",
    "version",
    "license",
    "exports",
    "main",
    "module",
    "types",
    "engines",
  ]) {
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
  for (const name of ["@assemblyscript/loader", "msun", "Cephes", "Eigen", "Apache License"]) {
    assert.ok(text.includes(name), name);
  }
});
