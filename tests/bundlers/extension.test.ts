// A Chrome extension by the manifest that docs/platforms.md gives: a page of its own with two threads,
// and the background's service worker with one.

import assert from "node:assert/strict";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { chromium } from "playwright-core";
import { headless } from "../chromium";
import { linesFor } from "../platform-lines";
import { assertComputes } from "./page";
import { bundle, project } from "./project";

const background = `
  import { createAttention, tensor } from "wasm-attention";

  globalThis.computed = (async () => {
    const attention = await createAttention({ threads: 2 });
    const x = tensor(Float32Array.of(1, 0, 0, 1), [2, 2]);
    const { output } = attention.attend(x, x, x, { scale: Math.log(3) });
    return { output: Array.from(output.data), threads: attention.threads };
  })();`;

test("a Chrome extension", async () => {
  const folder = project("esbuild");
  writeFileSync(join(folder, "background.js"), background);
  writeFileSync(
    join(folder, "worker-option.js"),
    'globalThis.worker = chrome.runtime.getURL("worker.js");\n',
  );
  const options = ["--bundle", "--outdir=dist", "--format=esm", "--splitting"];
  bundle(folder, "esbuild", "main.js", "background.js", "worker-option.js", ...options);
  const extension = join(folder, "dist");
  writeFileSync(join(extension, "manifest.json"), linesFor("manifest.json"));
  cpSync(join(folder, "node_modules/wasm-attention/dist/worker.js"), join(extension, "worker.js"));
  writeFileSync(
    join(extension, "page.html"),
    `<!doctype html>
<script type="module" src="worker-option.js"></script>
<script type="module" src="main.js"></script>`,
  );

  const profile = mkdtempSync(join(tmpdir(), "extension-"));
  const { args = [], ...launched } = headless();
  const context = await chromium.launchPersistentContext(profile, {
    ...launched,
    args: [
      ...args,
      `--disable-extensions-except=${extension}`,
      `--load-extension=${extension}`,
      "--disable-features=DisableLoadExtensionCommandLineSwitch",
    ],
    ignoreDefaultArgs: ["--disable-extensions"],
  });
  try {
    const [worker = await context.waitForEvent("serviceworker")] = context.serviceWorkers();
    const { output, threads } = await worker.evaluate(
      () =>
        (globalThis as unknown as { computed: Promise<{ output: number[]; threads: number }> })
          .computed,
    );
    assert.equal(threads, 1);
    for (const [i, weight] of [0.75, 0.25, 0.25, 0.75].entries()) {
      assert.ok(Math.abs(output[i] - weight) < 1e-7, `${output}`);
    }
    await assertComputes(context, new URL("page.html", worker.url()).href, false);
  } finally {
    await context.close();
    rmSync(profile, { recursive: true, force: true });
  }
});
