// The README's code runs as it stands: the first block alone, the others one after the other.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = new URL("..", import.meta.url);
const text = readFileSync(new URL("README.md", root), "utf8");
const [first, ...others] = [...text.matchAll(/```ts\n(.*?)```/gs)].map(([, code]) => code);

function run(name: string, code: string): string {
  const file = new URL(`build/${name}.ts`, root);
  mkdirSync(new URL("build", root), { recursive: true });
  writeFileSync(file, code);
  return execFileSync(process.execPath, ["--import", "tsx", fileURLToPath(file)], {
    encoding: "utf8",
  });
}

test("five lines that run", () => {
  assert.match(run("readme-first", first), /^\[ 1, 8, 128, 64 \] (portable|relaxed)\n$/);
});

test("the rest of the README's code", () => {
  assert.ok(others.length >= 2);
  const shapes = "console.log(output.dims, weights?.dims, logSumExp?.dims, mixed.dims);";
  assert.equal(
    run("readme-others", `${others.join("\n")}\n${shapes}`),
    "[ 2, 6, 5, 8 ] [ 2, 6, 5, 9 ] [ 2, 6, 5 ] [ 1, 10, 64 ]\n",
  );
});
