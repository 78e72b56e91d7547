// The relaxed build where multiply-add rounds twice, as on a machine without a fused one: the bits of
// the portable build then, and all that holds of those.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { checkDigests } from "./battery/rows";

const script = `
  import { runBattery } from "./tests/battery/battery.ts";
  import { selfTest } from "wasm-attention";
  import { engine } from "./tests/engines.ts";
  selfTest(await engine("relaxed"));
  console.log(JSON.stringify(await runBattery()));`;

const flags = spawnSync(process.execPath, ["--v8-options"], { encoding: "utf8" }).stdout;
/** Products of bytes too as on a processor that has no instruction for four of them. */
const withoutDots = flags.includes("enable-avx-vnni") ? ["--no-enable-avx-vnni"] : [];

test("the relaxed build without fused multiply-add", (t) => {
  if (process.arch !== "x64") return t.skip("this processor's multiply-add is always fused");
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ["--no-enable-fma3", ...withoutDots, "--import", "tsx", "--input-type=module", "-e", script],
    { cwd: new URL("..", import.meta.url), encoding: "utf8" },
  );
  assert.match(stdout, /^{/, stderr);
  const report = JSON.parse(stdout);
  const { variant, fused } = report;
  assert.deepEqual({ variant, fused }, { variant: "relaxed", fused: false });
  checkDigests(report, "this engine, unfused");
});
