// attend against the float64 reference: seeded random problems over every option at once.

import { test } from "node:test";
import { checkAttend } from "./checks/attend";
import { problems } from "./checks/problems";
import { holds } from "./checks/property";
import { engine, variants } from "./engines";

for (const variant of variants) {
  test(`attend, every option at once, ${variant}`, async () => {
    const attention = await engine(variant);
    holds(problems, (drawn) => checkAttend(attention, drawn), 300);
  });
}
