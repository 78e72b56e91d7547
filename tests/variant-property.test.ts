// The operations of wasm-attention/variants over drawn problems, as the fuzzer draws them.

import { test } from "node:test";
import { holds } from "./checks/property";
import { checkVariants, variantProblems } from "./checks/variants";
import { engine, variants } from "./engines";

for (const variant of variants) {
  test(`gradients of weights that move fast, ${variant}`, async () => {
    const attention = await engine(variant);
    const sizes = {
      batch: 1,
      keyValueHeads: 1,
      groups: 2,
      queries: 2,
      keys: 129,
      depth: 3,
    } as const;
    const form = { columns: 2, alpha: 8, span: 0, ramp: 1, window: undefined } as const;
    const none = { causal: false, lengths: false, masked: false };
    for (const kind of ["sparse", "additive"] as const)
      for (const perHead of [false, true])
        for (let seed = 1; seed <= 20; seed++) {
          const attended = { seed, kind, perHead, ...sizes, ...form, ...none };
          checkVariants(attention, { attended });
        }
  });

  test(`what is drawn is as float64 has it, ${variant}`, async () => {
    const attention = await engine(variant);
    holds(variantProblems, (drawn) => checkVariants(attention, drawn), 40);
  });
}
