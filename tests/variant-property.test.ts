// The operations of wasm-attention/variants over drawn problems, as the fuzzer draws them.

import { test } from "node:test";
import { holds } from "./checks/property";
import { checkVariants, variantProblems } from "./checks/variants";
import { engine, variants } from "./engines";

for (const variant of variants)
  test(`what is drawn is as float64 has it, ${variant}`, async () => {
    const attention = await engine(variant);
    holds(variantProblems, (drawn) => checkVariants(attention, drawn), 40);
  });
