// What the files of dist/ import, and which of them each platform gets.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

type Entry = string | { readonly [condition: string]: Entry };

const root = new URL("..", import.meta.url);
const { exports } = JSON.parse(readFileSync(new URL("package.json", root), "utf8"));

const ENTRIES = [
  "index",
  "training",
  "positions",
  "cache",
  "weights",
  "blocks",
  "quantized",
  "compress",
  "integers",
  "variants",
  "shards",
  "view",
];
const threads = ["node:os", "node:worker_threads"];
const paths = ["node:fs/promises"];
const LATER: Record<string, string[]> = { index: threads, shards: paths };

/** What an entry imports from outside its folder, its chunks included; `later` by import(). */
const platforms: Record<string, (entry: string) => { now: string[]; later: string[] }> = {
  node: (entry) => ({ now: [], later: LATER[entry] ?? [] }),
  browser: () => ({ now: [], later: [] }),
  workerd: (entry) => ({ now: modules(entry, ["portable", "relaxed"]), later: [] }),
  "edge-light": (entry) => ({ now: modules(entry, ["portable"]), later: [] }),
};

function modules(entry: string, variants: string[]): string[] {
  const names = ["index", "weights", "compress", "shards", "view"].includes(entry)
    ? ["core"]
    : ["core", entry];
  const files = names.flatMap((name) => variants.map((variant) => `${name}.${variant}`));
  return files.map((name) => `./${name}.wasm?module`).sort();
}

/** The files that a file reaches, and what it imports besides. */
async function reached(file: string) {
  const { metafile, warnings } = await build({
    entryPoints: [fileURLToPath(new URL(`dist/${file}`, root))],
    absWorkingDir: fileURLToPath(root),
    bundle: true,
    write: false,
    metafile: true,
    format: "esm",
    external: ["node:*", "*.wasm?module"],
  });
  assert.deepEqual(warnings, []);
  const files = Object.keys(metafile.inputs);
  // import() in a chunk that is itself loaded later counts as later.
  const [now, later] = [new Set<string>(), new Set<string>()];
  const visited = new Set<string>();
  const visit = (path: string, to: Set<string>) => {
    if (visited.has(path)) return;
    visited.add(path);
    const put: [string, Set<string>][] = [];
    for (const { path: imported, external, kind } of metafile.inputs[path].imports) {
      const into = kind === "dynamic-import" ? later : to;
      if (external) into.add(imported);
      else put.push([imported, into]);
    }
    for (const [imported, into] of put.filter(([, into]) => into === to)) visit(imported, into);
    for (const [imported, into] of put.filter(([, into]) => into !== to)) visit(imported, into);
  };
  visit(`dist/${file}`, now);
  return { files, now: [...now].sort(), later: [...later].sort() };
}

for (const [platform, expected] of Object.entries(platforms)) {
  const reachedByAny = new Set<string>();
  for (const entry of ENTRIES) {
    test(`dist/${platform}/${entry}.js: what it imports`, async () => {
      const { files, now, later } = await reached(`${platform}/${entry}.js`);
      assert.deepEqual({ now, later }, expected(entry));
      for (const file of files) reachedByAny.add(file);
    });
  }

  test(`dist/${platform}: every file is of use, and loaded for what it gives`, () => {
    const folder = new URL(`dist/${platform}/`, root);
    for (const name of readdirSync(folder).filter((name) => name.endsWith(".js"))) {
      const text = readFileSync(new URL(name, folder), "utf8");
      assert.ok(reachedByAny.has(`dist/${platform}/${name}`), name);
      assert.doesNotMatch(text, /^import"/m, name);
    }
  });
}

for (const platform of ["node", "browser"]) {
  test(`dist/${platform}: one copy by require`, async () => {
    for (const entry of ENTRIES) {
      const { files, now } = await reached(`${platform}/${entry}.cjs`);
      const all = ["shared", entry].map((name) => `dist/${platform}/${name}.cjs`);
      assert.deepEqual(files.sort(), all.sort());
      const own = entry === "shards" ? paths : [];
      assert.deepEqual(now, platform === "node" ? [...own, ...threads] : []);
    }
  });
}

test("dist/worker.js imports nothing", async () => {
  assert.deepEqual(await reached("worker.js"), { files: ["dist/worker.js"], now: [], later: [] });
});

/** The entry's conditions in order, and the files they lead to. */
function leaves(entry: Entry, path: string[] = []): [string, string][] {
  if (typeof entry === "string") return [[path.join(" "), entry]];
  return Object.entries(entry).flatMap(([name, inner]) => leaves(inner, [...path, name]));
}

test("every condition leads to a file, and the more special come first", () => {
  // A bundler's own condition comes before `require`, so that a page never has two copies.
  for (const entry of [
    ".",
    "./training",
    "./positions",
    "./cache",
    "./blocks",
    "./variants",
    "./quantized",
    "./integers",
  ]) {
    assert.deepEqual(
      leaves(exports[entry]).map(([conditions]) => conditions),
      [
        ...["types require", "types default", "workerd", "edge-light", "deno", "bun"],
        ...["node module-sync", "node module", "node require", "node default"],
        ...["module", "require", "default"],
      ],
    );
  }
  for (const [conditions, file] of Object.values<Entry>(exports).flatMap((entry) => leaves(entry)))
    assert.ok(existsSync(new URL(file, root)), `${conditions}: ${file}`);
});

const written = (readdirSync(new URL("dist", root), { recursive: true }) as string[]).filter(
  (name) => /\.[cm]?js$/.test(name),
);

/** Of the modules' texts. */
const moduleLines = new Set(
  readdirSync(new URL("build", root))
    .filter((name) => name.endsWith(".wasm.txt"))
    .flatMap((name) => readFileSync(new URL(`build/${name}`, root), "utf8").split("\n")),
);

for (const name of written) {
  test(`dist/${name}: no line that a terminal or a tool chokes on`, () => {
    const text = readFileSync(new URL(`dist/${name}`, root), "utf8");
    for (const line of text.split("\n")) {
      const most = moduleLines.has(line.replace(/`.*/, "")) ? 16500 : 2000;
      assert.ok(line.length <= most, `${line.length}: ${line.slice(0, 80)}`);
    }
  });
}

test("an uncaught error shows little of the bundle, and its message", () => {
  const failing = `
    import { createAttention } from "wasm-attention";
    (await createAttention()).attend(1, 2, 3);`;
  for (const source of [
    failing,
    failing.replace('"wasm-attention"', '"./dist/browser/index.js"'),
  ]) {
    const { status, stderr } = spawnSync(
      process.execPath,
      ["--input-type=module", "--eval", source],
      { cwd: root, encoding: "utf8" },
    );
    assert.equal(status, 1);
    assert.match(stderr, /\bArgumentError\b.*: attend: "query" expected a tensor/);
    assert.ok(stderr.length < 3000, `${stderr.length} characters`);
  }
});

test("by require, too, a cache of one entry is a shard to another", async () => {
  const entry = (name: string) => createRequire(import.meta.url)(`../dist/node/${name}.cjs`);
  const { createAttention, tensor } = entry("index") as typeof import("wasm-attention");
  const { cache, createCache } = entry("cache") as typeof import("wasm-attention/cache");
  const { attendSharded, localShard } = entry("shards") as typeof import("wasm-attention/shards");
  using attention = await createAttention({ reproducible: true, extensions: [cache] });
  using tokens = createCache(attention, { keyValueHeads: 1, headSize: 4 });
  const x = tensor(Float32Array.of(0, 1, 2, 3, 4, 5, 6, 7), [1, 1, 2, 4]);
  tokens.append(x, x);
  const shards = [localShard(attention, { cache: tokens })];
  const { output } = await attendSharded(attention, x, shards);
  assert.deepEqual(output.data, attention.attend(x, x, x).output.data);
});

test("what a room keeps a list of is not told by another entry's copy of it", () => {
  const rooms = ENTRIES.slice(1);
  const sources = readdirSync(new URL("src", root), { recursive: true }) as string[];
  for (const file of sources.filter((path) => path.endsWith(".ts"))) {
    const from = file.split("/")[0] as string;
    if (!rooms.includes(from)) continue;
    const text = readFileSync(new URL(`src/${file}`, root), "utf8");
    for (const [, room, path] of text.matchAll(
      /^(?:import|export) (?!type).*from "\.\.\/(\w+)\/([\w-]+)";/gm,
    )) {
      if (room === from || !rooms.includes(room as string)) continue;
      const other = readFileSync(new URL(`src/${room}/${path}.ts`, root), "utf8");
      assert.doesNotMatch(
        other,
        /^const \w+ = .*new (Weak)?(Map|Set)\b/m,
        `${file}: ${room}/${path}`,
      );
    }
  }
});
