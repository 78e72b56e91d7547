// TypeScript consumers: every resolution, strict, with the declarations themselves checked.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { root } from "../../scripts/pack.mjs";
import { here, project } from "./packed";

const compilers = {
  "5.2": join(here, "node_modules/typescript-5.2/bin/tsc"),
  "6.0": join(here, "node_modules/typescript-6.0/bin/tsc"),
  "7.0": join(root, "node_modules/typescript/bin/tsc"),
};
const resolutions = [
  { module: "esnext", moduleResolution: "bundler" },
  { module: "node16", moduleResolution: "node16" },
  { module: "nodenext", moduleResolution: "nodenext" },
];
const strict = {
  target: "es2022",
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  skipLibCheck: false,
  noEmit: true,
  types: [] as string[],
};

let folder: string;
before(() => {
  folder = project("types");
  cpSync(join(here, "consumer"), folder, { recursive: true });
  for (const name of ["@types/node", "undici-types", "@cloudflare/workers-types"]) {
    cpSync(join(here, "node_modules", name), join(folder, "node_modules", name), {
      recursive: true,
    });
  }
});

/** What the compiler says of `file`; nothing if all is well. */
function complaints(compiler: string, file: string, options: object): string {
  const config = join(folder, "tsconfig.json");
  writeFileSync(
    config,
    JSON.stringify({ compilerOptions: { ...strict, ...options }, files: [file] }),
  );
  const { status, stdout } = spawnSync(process.execPath, [compiler, "-p", config], {
    cwd: folder,
    encoding: "utf8",
  });
  assert.equal(status === 0, stdout === "", stdout);
  return stdout;
}

for (const [version, compiler] of Object.entries(compilers)) {
  for (const resolution of resolutions) {
    test(`TypeScript ${version}, ${resolution.moduleResolution}: a page`, () => {
      const options = { ...resolution, lib: ["es2022", "dom"] };
      assert.equal(complaints(compiler, "consumer.ts", options), "");
    });
  }

  test(`TypeScript ${version}: what is wrong is refused`, () => {
    const said = complaints(compiler, "wrong.ts", { ...resolutions[0], lib: ["es2022", "dom"] });
    const lines = [...said.matchAll(/^wrong\.ts\((\d+),/gm)].map(([, line]) => Number(line));
    assert.deepEqual([...new Set(lines)], [9, 11, 13, 15, 17, 19, 21, 23, 25], said);
  });
}

// Node's own types and `require` of ES modules both need a newer compiler than the oldest.
for (const version of ["6.0", "7.0"] as const) {
  test(`TypeScript ${version}, nodenext: a program on Node, without the page's types`, () => {
    const options = { ...resolutions[2], lib: ["es2022"], types: ["node"] };
    assert.equal(complaints(compilers[version], "consumer.ts", options), "");
  });

  test(`TypeScript ${version}: a Worker of Cloudflare's, with its types alone`, () => {
    const types = ["@cloudflare/workers-types"];
    const options = { ...resolutions[0], lib: ["esnext"], types };
    assert.equal(complaints(compilers[version], "consumer.ts", options), "");
  });

  test(`TypeScript ${version}: a CommonJS module under nodenext`, () => {
    const options = { ...resolutions[2], lib: ["es2022", "dom"] };
    assert.equal(complaints(compilers[version], "required.cts", options), "");
  });
}
