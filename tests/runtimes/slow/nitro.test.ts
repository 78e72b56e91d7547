// Nitro, which Nuxt builds its servers by, with the lines of docs/platforms.md: each preset's build,
// run where it is meant for.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { consumer, pack, root } from "../../../scripts/pack.mjs";
import { linesFor } from "../../platform-lines";
import { quiet } from "../../quiet";
import { installed, node, output } from "../engines";
import { startWrangler } from "../servers";

const template = join(root, "tests/runtimes/projects/nitro");
const folder = consumer(join(root, "build/runtimes/nitro"), pack().tarball, template);
writeFileSync(join(folder, "nitro.config.ts"), linesFor("nitro.config.ts"));

/** Without one, Nitro builds for what Cloudflare was before it had assets. */
const date = "2026-11-01";

function build(preset: string): void {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ["node_modules/nitropack/dist/cli/index.mjs", "build", "--preset", preset],
    {
      cwd: folder,
      encoding: "utf8",
      env: { ...process.env, ...quiet, NITRO_COMPATIBILITY_DATE: date },
    },
  );
  assert.equal(status, 0, stdout + stderr);
}

/** The weights are 3 to 1 at a scale of ln 3. */
function assertAnswer(text: string, threads = 1): void {
  const answer = JSON.parse(text);
  assert.equal(answer.threads, threads);
  for (const [i, weight] of [0.75, 0.25, 0.25, 0.75].entries()) {
    assert.ok(Math.abs(answer.output[i] - weight) < 1e-7, text);
  }
}

/** A host that asks a function once, as the platform does. */
const host = (file: string) => `
  const { default: answer } = await import(${JSON.stringify(file)});
  const response = await answer(new Request("http://localhost/"), { waitUntil() {} });
  console.log(JSON.stringify(await response.json()));`;

test("cloudflare-module, in workerd", async () => {
  build("cloudflare-module");
  const config = {
    name: "nitro",
    main: ".output/server/index.mjs",
    compatibility_date: date,
    compatibility_flags: ["nodejs_compat"],
    assets: { directory: ".output/public", binding: "ASSETS" },
  };
  writeFileSync(join(folder, "wrangler.json"), JSON.stringify(config));
  const server = await startWrangler(folder);
  try {
    assertAnswer(await (await fetch(server.addresses.battery)).text());
  } finally {
    await server.end();
  }
});

test("vercel-edge, on Node 24", () => {
  build("vercel-edge");
  writeFileSync(
    join(folder, "vercel.mjs"),
    host("./.vercel/output/functions/__fallback.func/index.mjs"),
  );
  assertAnswer(output(node(24), ["vercel.mjs"], folder).at(-1) as string);
});

test("netlify-edge, in Deno", () => {
  build("netlify-edge");
  writeFileSync(join(folder, "netlify.mjs"), host("./.netlify/edge-functions/server/server.js"));
  const deno = installed("@deno/linux-x64-glibc/deno");
  const answered = output(deno, ["run", "--allow-all", "netlify.mjs"], folder);
  assertAnswer(answered.at(-1) as string);
});
