// Next.js: a client component, a server component and an edge route, by both of its bundlers.

import assert from "node:assert/strict";
import { test } from "node:test";
import { assertComputes, launch } from "../page";
import { bundle, project, serving } from "../project";

for (const bundler of ["turbopack", "webpack"]) {
  test(`Next.js, ${bundler}`, async () => {
    const folder = project("next");
    bundle(folder, "next", "build", `--${bundler}`);
    const browser = await launch();
    try {
      await serving(folder, ["next", "start", "-H", "127.0.0.1", "-p", "0"], async (address) => {
        await assertComputes(browser, address);
        const page = await (await fetch(address)).text();
        const [, said] = /<p id="server">(.*?)<\/p>/.exec(page) ?? [];
        assertSmall(JSON.parse(said.replaceAll("&quot;", '"')), 2);
        assertSmall(await (await fetch(`${address}/edge`)).json(), 1);
      });
    } finally {
      await browser.close();
    }
  });
}

/** The weights are 3 to 1 at a scale of ln 3. */
function assertSmall({ output, threads }: { output: number[]; threads: number }, expected: number) {
  assert.equal(threads, expected);
  assert.equal(output.length, 4);
  for (const [i, weight] of [0.75, 0.25, 0.25, 0.75].entries()) {
    assert.ok(Math.abs(output[i] - weight) < 1e-7, `${output}`);
  }
}
