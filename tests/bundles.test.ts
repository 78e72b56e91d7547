// What the files of dist/ import, and which of them each platform gets.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

type Entry = string | { readonly [condition: string]: Entry };

const root = new URL("..", import.meta.url);
const { exports } = JSON.parse(readFileSync(new URL("package.json", root), "utf8"));

const imports: Record<string, string[]> = {
  "node.js": ["./node-threads.js"],
  "node.cjs": ["./node-threads.cjs"],
  "node.mjs": ["./node.cjs"],
  "node-threads.js": ["node:os", "node:worker_threads"],
  "node-threads.cjs": ["node:os", "node:worker_threads"],
  "browser.js": ["./browser-threads.js"],
  "browser.cjs": ["./browser-threads.cjs"],
  "browser-threads.js": [],
  "browser-threads.cjs": [],
  "workerd.js": ["./portable.wasm?module", "./relaxed.wasm?module"],
  "edge-light.js": ["./portable.wasm?module"],
  "worker.js": [],
};

for (const [name, expected] of Object.entries(imports)) {
  test(`dist/${name} imports ${expected.join(", ") || "nothing"}`, async () => {
    const { metafile } = await build({
      entryPoints: [fileURLToPath(new URL(`dist/${name}`, root))],
      bundle: true,
      write: false,
      metafile: true,
      format: "esm",
      plugins: [
        {
          name: "external",
          setup({ onResolve }) {
            onResolve({ filter: /./ }, ({ kind, path }) =>
              kind === "entry-point" ? undefined : { path, external: true },
            );
          },
        },
      ],
    });
    const [output] = Object.values(metafile.outputs);
    assert.deepEqual(output.imports.map(({ path }) => path).sort(), expected);
  });
}

/** The entry's conditions in order, and the files they lead to. */
function leaves(entry: Entry, path: string[] = []): [string, string][] {
  if (typeof entry === "string") return [[path.join(" "), entry]];
  return Object.entries(entry).flatMap(([name, inner]) => leaves(inner, [...path, name]));
}

test("every condition leads to a file, and the more special come first", () => {
  // A bundler's own condition comes before `require`, so that a page never has two copies.
  assert.deepEqual(
    leaves(exports["."]).map(([conditions]) => conditions),
    [
      ...["types require", "types default", "workerd", "edge-light", "deno", "bun"],
      ...["node module-sync", "node module", "node require", "node default"],
      ...["module", "require", "default"],
    ],
  );
  for (const [conditions, file] of Object.values<Entry>(exports).flatMap((entry) => leaves(entry)))
    assert.ok(existsSync(new URL(file, root)), `${conditions}: ${file}`);
});

const written = readdirSync(new URL("dist", root)).filter((name) => /\.[cm]?js$/.test(name));

for (const name of written) {
  test(`dist/${name}: no line that a terminal or a tool chokes on`, () => {
    const text = readFileSync(new URL(`dist/${name}`, root), "utf8");
    for (const line of text.split("\n")) {
      const most = /^[^"'`]*[`"]?[0-9a-f]{1000}/.test(line) ? 16500 : 2000;
      assert.ok(line.length <= most, `${line.length}: ${line.slice(0, 80)}`);
    }
  });
}

test("an uncaught error shows little of the bundle, and its message", () => {
  const failing = `
    import { createAttention } from "wasm-attention";
    (await createAttention()).attend(1, 2, 3);`;
  for (const source of [failing, failing.replace('"wasm-attention"', '"./dist/browser.js"')]) {
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
