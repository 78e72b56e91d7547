// A page of the documentation: its code runs, and prints what its comments say.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const docs = new URL("../docs/", import.meta.url);

export const pageText = (page: string) => readFileSync(new URL(page, docs), "utf8");

/** Runs the page's code in `folder`, where its imports are found. */
export function checkCode(page: string, folder: URL): void {
  const code = [...pageText(page).matchAll(/```ts\n(.*?)```/gs)]
    .map(([, block]) => block)
    .join("\n");
  const said = [...code.matchAll(/console\.log\(.*\); \/\/ → (.*)/g)].map(([, output]) => output);
  assert.ok(said.length > 0, "a page shows what its code prints");
  assert.equal(
    said.length,
    code.split("console.log(").length - 1,
    "every line that prints says what",
  );
  mkdirSync(folder, { recursive: true });
  const file = fileURLToPath(new URL(`docs-${page.replace("/", "-")}.ts`, folder));
  writeFileSync(file, code);
  const printed = execFileSync(process.execPath, ["--import", "tsx", file], { encoding: "utf8" });
  assert.deepEqual(printed.trimEnd().split("\n"), said);
}

export function checkLinks(page: string): void {
  for (const [, target] of pageText(page).matchAll(/\]\((?!https?:|#)([^)#]+)/g)) {
    assert.ok(readFileSync(new URL(target, new URL(page, docs))).length, target);
  }
}

const { scripts } = JSON.parse(readFileSync(new URL("../package.json", docs), "utf8"));

export function checkCommands(page: string): void {
  const named = pageText(page).matchAll(/npm run ([\w:]+)|`((?:demo|test|bench)(?::\w+)+)`/g);
  for (const [, long, short] of named) {
    const command = (long ?? short) as string;
    assert.ok(command in scripts, `${page} names ${command}`);
  }
}
