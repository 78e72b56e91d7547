// The program on Deno: its types, and its numbers beside the formula's.

import { test } from "node:test";
import { assertNear, example, installed, output } from "./example";

const deno = installed("@deno/linux-x64-glibc/deno");

test("it smooths a series, without a permission", () => {
  const folder = example("deno");
  const options = ["--node-modules-dir=manual", "--no-lock", "--cached-only"];
  output(folder, deno, ["check", ...options.slice(0, 2), "main.ts"]);
  const series = [3, 1, 4, 1, 5, 9, 2, 6];
  const args = ["run", "--no-prompt", ...options, "main.ts", "1.5", ...series.map(String)];
  const printed = output(folder, deno, args).trim().split(" ").map(Number);
  const expected = series.map((_, t) => {
    const weights = series.map((_, u) => Math.exp(-((t - u) ** 2) / (2 * 1.5 ** 2)));
    const total = weights.reduce((sum, weight) => sum + weight);
    return series.reduce((sum, value, u) => sum + (value * weights[u]) / total, 0);
  });
  assertNear(printed, expected, 1e-4);
});
