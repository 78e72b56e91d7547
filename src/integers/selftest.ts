// Known answers of the integer kernels, see selftest.ts.

import { attended, check, inputs } from "../answers";
import type { Attention } from "../attend/attention";
import { int16 } from "./precision";

export function checkIntegers(name: string, attention: Attention<"integers">): void {
  for (const rows of [1, 6, 70]) {
    const sizes = [2, rows, 35, 140, 37] as const;
    const [q, k, v] = inputs(sizes);
    const { output } = attention.attend(q, k, v, { precision: int16 });
    const want = attended(
      sizes,
      [q, k, v].map(({ data }) => data),
      {},
    );
    const scaled = (values: ArrayLike<number>) => Array.from(values, (x) => x / 50);
    check(name, "int16", scaled(output.data), scaled(want.output));
  }
}
