// Known answers of the quantized kernels, see selftest.ts.

import { check, NEAR, type Numbers, numbers } from "../answers";
import type { Attention } from "../attend/attention";
import { linear, prepareLinear } from "../linear/linear";
import { dequantize } from "./dequantize";
import { prepareQuantized } from "./prepare";

/** Largest error of a number up to 1: half a step, or one at the end of int4. */
const STEPS = { int8: 0.5 / 127, int4: 1 / 8 };

export function checkQuantized(name: string, attention: Attention<"quantized">): void {
  const weight = numbers([300, 21], 5);
  const scaled = (x: Numbers, by: number) => Array.from(x, (value) => value * by);
  for (const kind of ["int8", "int4"] as const) {
    using prepared = prepareQuantized(attention, weight, { numbers: kind, order: "in,out" });
    const stored = dequantize(attention, prepared);
    const share = (0.99 * NEAR) / STEPS[kind];
    check(name, kind, scaled(stored.data, share), scaled(weight.data, share));
    using float = prepareLinear(attention, stored, { order: "in,out" });
    for (const rows of [1, 6]) {
      const x = numbers([rows, 300], 7);
      const [got, want] = [prepared, float].map((w) => linear(attention, x, w).data);
      check(name, "linear", scaled(got as Numbers, 0.02), scaled(want as Numbers, 0.02));
    }
  }
}
