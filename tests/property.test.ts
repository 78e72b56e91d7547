// A property that fails says so within seconds, with its seed, however slow its cases are.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { holds } from "./checks/property";

test("shrinking ends, and the report has the seed and what was thrown", () => {
  let drawn = 0;
  const slow = (list: number[]) => {
    drawn++;
    const until = performance.now() + 50;
    while (performance.now() < until);
    assert.ok(list.length < 10, "too long");
  };
  const start = performance.now();
  const lists = fc.array(fc.integer(), { minLength: 20, maxLength: 10000, size: "max" });
  assert.throws(() => holds(lists, slow), /seed: 20261124[\s\S]*too long/);
  assert.ok(performance.now() - start < 30_000, "seconds to a red result");
  assert.ok(drawn > 1 && drawn < 200, `${drawn} cases were looked at`);
});
