// attendBackward against the float64 reference, and that against finite differences.

import { test } from "node:test";
import { backwardProblems, checkBackward } from "./checks/backward";
import { holds } from "./checks/property";
import { engine, variants } from "./engines";

for (const variant of variants) {
  test(`attendBackward, every option at once, ${variant}`, async () => {
    const attention = await engine(variant);
    holds(backwardProblems, (drawn) => checkBackward(attention, drawn), 200);
  });
}
