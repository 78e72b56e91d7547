// What the files of dist/ import, and which of them each platform gets.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = new URL("..", import.meta.url);
const { exports } = JSON.parse(readFileSync(new URL("package.json", root), "utf8"));

const imports: Record<string, string[]> = {
  "node.js": ["./node-threads.js"],
  "node-threads.js": ["node:os", "node:worker_threads"],
  "browser.js": ["./browser-threads.js"],
  "browser-threads.js": [],
  "workerd.js": ["./portable.wasm", "./relaxed.wasm"],
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

test("every condition leads to a file, and the more special come first", () => {
  const conditions = Object.keys(exports["."]);
  assert.deepEqual(conditions, [
    ...["types", "workerd", "edge-light", "deno", "bun", "node", "worker", "browser", "default"],
  ]);
  const files = Object.values<string | Record<string, string>>(exports).flatMap((entry) =>
    typeof entry === "string" ? entry : Object.values(entry),
  );
  assert.ok(files.length > conditions.length);
  for (const file of files) {
    assert.ok(existsSync(new URL(file, root)), file);
  }
});
