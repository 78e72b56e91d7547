// The relaxed build is worth its bytes only where its multiply-adds are fused: on every processor that
// has them, and in every kernel.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { engine, moduleBytes, type Variant, variants } from "./engines";

/** f32x4.relaxed_madd, of the relaxed SIMD proposal's table of opcodes: 0x105 behind 0xfd. */
const RELAXED_MADD = Buffer.of(0xfd, 0x85, 0x02);

function multiplyAdds(variant: Variant): number {
  const modules = ["core", "training"].map((name) => moduleBytes(variant, name).toString("latin1"));
  return modules.join().split(RELAXED_MADD.toString("latin1")).length - 1;
}

/** Whether this processor multiplies and adds in one; undefined where that is not known. */
function processorFuses(): boolean | undefined {
  if (process.arch === "arm64") return true;
  if (process.arch !== "x64" || process.platform !== "linux") return undefined;
  return /^flags\s*:.* fma( |$)/m.test(readFileSync("/proc/cpuinfo", "utf8"));
}

test("the relaxed build is made of multiply-adds, the portable one has none", () => {
  assert.equal(multiplyAdds("portable"), 0);
  assert.ok(multiplyAdds("relaxed") > 100, `${multiplyAdds("relaxed")} multiply-adds`);
});

test("they are fused where the processor can", async (t) => {
  for (const variant of variants) {
    using attention = await engine(variant);
    const fuses = variant === "portable" ? false : processorFuses();
    if (fuses === undefined) t.diagnostic(`not known here; it says ${attention.fused}`);
    else assert.equal(attention.fused, fuses, variant);
  }
});
