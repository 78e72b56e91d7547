// The relaxed build where multiply-add rounds twice, as on a machine without a fused one: the bits of
// the portable build then, and all that holds of those.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import * as expected from "./battery/expected";

const script = `
  import * as main from "wasm-attention";
  import * as blocks from "wasm-attention/blocks";
  import * as cache from "wasm-attention/cache";
  import * as integers from "wasm-attention/integers";
  import * as positions from "wasm-attention/positions";
  import * as quantized from "wasm-attention/quantized";
  import * as shards from "wasm-attention/shards";
  import * as training from "wasm-attention/training";
  import * as variants from "wasm-attention/variants";
  import * as weights from "wasm-attention/weights";
  import { runBattery } from "./tests/battery/battery.ts";
  import { engine } from "./tests/engines.ts";
  main.selfTest(await engine("relaxed"));
  const all = { ...main, ...blocks, ...cache, ...positions, ...training, ...variants, ...integers, ...quantized, ...shards, ...weights };
  console.log(JSON.stringify(await runBattery(all)));`;

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
  const { variant, fused, digest, storedDigest, blocksDigest, variantsDigest, ...rest } =
    JSON.parse(stdout);
  assert.deepEqual({ variant, fused }, { variant: "relaxed", fused: false });
  assert.equal(digest, expected.portable);
  assert.equal(storedDigest, expected.stored);
  assert.equal(blocksDigest, expected.blocks.portable);
  assert.equal(rest.quantizedDigest, expected.quantized);
  assert.equal(rest.integersDigest, expected.integers);
  assert.equal(rest.int8Digest, expected.int8);
  assert.equal(rest.shardsDigest, expected.shards.portable);
  assert.equal(rest.halvesDigest, expected.halves.portable);
  assert.equal(variantsDigest, expected.variants.portable);
});
