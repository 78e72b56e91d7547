// The battery that every engine runs, on this one: its digests are those that are written down, for
// both builds and any number of threads.

import assert from "node:assert/strict";
import { test } from "node:test";
import { runBattery } from "./battery/battery";
import { checkDigests } from "./battery/rows";
import { engine } from "./engines";

test("the battery's digests", async () => {
  (await engine("relaxed")).dispose(); // enables relaxed SIMD where it needs a flag
  for (const threads of [1, 2]) {
    for (const reproducible of [true, false]) {
      const report = await runBattery({ reproducible, threads });
      assert.equal(report.threads, threads, report.threadsFallback);
      assert.equal(report.variant, reproducible ? "portable" : "relaxed");
      checkDigests(report, "this engine");
    }
  }
});
