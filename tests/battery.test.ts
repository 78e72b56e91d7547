// The battery that every engine runs, on this one: its digests are those that are written down, for
// both builds and any number of threads.

import assert from "node:assert/strict";
import { test } from "node:test";
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
import { runBattery } from "./battery/battery";
import * as expected from "./battery/expected";
import { engine } from "./engines";

const all = {
  ...main,
  ...blocks,
  ...cache,
  ...positions,
  ...training,
  ...variants,
  ...integers,
  ...quantized,
  ...shards,
  ...weights,
};

test("the battery's digests", async () => {
  (await engine("relaxed")).dispose(); // enables relaxed SIMD where it needs a flag
  for (const threads of [1, 2]) {
    const reproducible = await runBattery(all, { reproducible: true, threads });
    assert.equal(reproducible.threads, threads, reproducible.threadsFallback);
    assert.equal(reproducible.digest, expected.portable);
    assert.equal(reproducible.trainingDigest, expected.training.portable);
    assert.equal(reproducible.cacheDigest, expected.caches.portable);
    assert.equal(reproducible.storedDigest, expected.stored);
    assert.equal(reproducible.blocksDigest, expected.blocks.portable);
    assert.equal(reproducible.quantizedDigest, expected.quantized);
    assert.equal(reproducible.halvesDigest, expected.halves.portable);
    assert.equal(reproducible.integersDigest, expected.integers);
    assert.equal(reproducible.int8Digest, expected.int8);
    assert.equal(reproducible.variantsDigest, expected.variants.portable);
    assert.equal(reproducible.shardsDigest, expected.shards.portable);
    const usual = await runBattery(all, { threads });
    assert.equal(usual.variant, "relaxed");
    const { fused, portable } = expected;
    assert.equal(usual.digest, usual.fused ? fused : portable);
    assert.equal(
      usual.trainingDigest,
      usual.fused ? expected.training.fused : expected.training.portable,
    );
    assert.equal(usual.storedDigest, expected.stored);
    assert.equal(usual.cacheDigest, expected.caches[usual.fused ? "fused" : "portable"]);
    assert.equal(usual.blocksDigest, expected.blocks[usual.fused ? "fused" : "portable"]);
    assert.equal(usual.quantizedDigest, expected.quantized);
    assert.equal(usual.integersDigest, expected.integers);
    assert.equal(usual.int8Digest, expected.int8);
    assert.equal(usual.halvesDigest, expected.halves[usual.fused ? "fused" : "portable"]);
    assert.equal(usual.variantsDigest, expected.variants[usual.fused ? "fused" : "portable"]);
    assert.equal(usual.shardsDigest, expected.shards[usual.fused ? "fused" : "portable"]);
  }
});
