// The documentation's code runs, and prints what its comments say.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = new URL("..", import.meta.url);
const pages = readdirSync(new URL("docs", root)).filter((name) => name.endsWith(".md"));

for (const page of pages) {
  test(`docs/${page}`, () => {
    const text = readFileSync(new URL(`docs/${page}`, root), "utf8");
    const code = [...text.matchAll(/```ts\n(.*?)```/gs)].map(([, block]) => block).join("\n");
    const said = [...code.matchAll(/console\.log\(.*\); \/\/ → (.*)/g)].map(([, output]) => output);
    assert.ok(said.length > 0, "a page shows what its code prints");
    assert.equal(
      said.length,
      code.split("console.log(").length - 1,
      "every line that prints says what",
    );
    mkdirSync(new URL("build", root), { recursive: true });
    const file = fileURLToPath(new URL(`build/docs-${page}.ts`, root));
    writeFileSync(file, code);
    const printed = execFileSync(process.execPath, ["--import", "tsx", file], { encoding: "utf8" });
    assert.deepEqual(printed.trimEnd().split("\n"), said);
  });

  test(`docs/${page}: its links lead somewhere`, () => {
    const text = readFileSync(new URL(`docs/${page}`, root), "utf8");
    for (const [, target] of text.matchAll(/\]\((?!https?:|#)([^)#]+)/g)) {
      assert.ok(readFileSync(new URL(target, new URL("docs/", root))).length, target);
    }
  });
}
