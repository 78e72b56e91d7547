// Known answers of the integer kernels, see selftest.ts.

import { attended, check, inputs } from "../answers";
import type { Attention } from "../attend/attention";
import { int8, int16 } from "./precision";

export function checkIntegers(name: string, attention: Attention<"integers">): void {
  for (const rows of [1, 6, 70]) {
    const sizes = [2, rows, 35, 140, 37] as const;
    const [q, k, v] = inputs(sizes);
    const want = attended(
      sizes,
      [q, k, v].map(({ data }) => data),
      {},
    );
    // What is near for float32 is for so much larger numbers of theirs.
    for (const [precision, size] of [
      [int16, 50],
      [int8, 2500],
    ] as const) {
      const { output } = attention.attend(q, k, v, { precision });
      const scaled = (values: ArrayLike<number>) => Array.from(values, (x) => x / size);
      check(name, precision.name, scaled(output.data), scaled(want.output));
    }
  }
}
