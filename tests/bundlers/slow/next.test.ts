// Next.js: a client component, a server component and an edge route. Its older bundler, webpack,
// fails on an edge route of any kind in this version (it does not write the manifest that it then
// reads), so that it is given the two components only.

import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { linesFor } from "../../platform-lines";
import { assertComputes, launch } from "../page";
import { bundle, project, serving } from "../project";

test("Next.js: client component, server component, edge route", () =>
  built("--turbopack", async (address) => {
    assertSmall(await (await fetch(`${address}/edge`)).json(), 1);
  }));

test("Next.js by webpack: client component, server component", () => {
  rmSync(join(project("next"), "app/edge"), { recursive: true });
  return built("--webpack");
});

async function built(bundler: string, look?: (address: string) => Promise<void>): Promise<void> {
  const folder = project("next");
  rmSync(join(folder, ".next"), { recursive: true, force: true });
  writeFileSync(join(folder, "next.config.mjs"), linesFor("next.config.mjs"));
  bundle(folder, "next", "build", bundler);
  const browser = await launch();
  try {
    await serving(folder, ["next", "start", "-H", "127.0.0.1", "-p", "0"], async (address) => {
      await assertComputes(browser, address, false);
      const page = await (await fetch(address)).text();
      const [, said] = /<p id="server">(.*?)<\/p>/.exec(page) ?? [];
      assertSmall(JSON.parse(said.replaceAll("&quot;", '"')), 2);
      await look?.(address);
    });
  } finally {
    await browser.close();
  }
}

/** The weights are 3 to 1 at a scale of ln 3. */
function assertSmall({ output, threads }: { output: number[]; threads: number }, expected: number) {
  assert.equal(threads, expected);
  assert.equal(output.length, 4);
  for (const [i, weight] of [0.75, 0.25, 0.25, 0.75].entries()) {
    assert.ok(Math.abs(output[i] - weight) < 1e-7, `${output}`);
  }
}
