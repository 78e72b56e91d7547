// attend against the float64 reference: seeded random problems over every option at once.

import { test } from "node:test";
import fc from "fast-check";
import { check } from "./checked";
import { engine, variants } from "./engines";
import { problems } from "./problems";

for (const variant of variants) {
  test(`attend, every option at once, ${variant}`, async () => {
    const attention = await engine(variant);
    fc.assert(
      fc.property(problems, (drawn) => check(attention, drawn)),
      {
        seed: Number(process.env.SEED ?? 20261124),
        numRuns: Number(process.env.RUNS ?? 300),
        includeErrorInReport: true,
      },
    );
  });
}
