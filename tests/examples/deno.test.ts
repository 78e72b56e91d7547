// The program on Deno: its types, and its numbers beside the formula's.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { before, test } from "node:test";
import { quiet } from "../quiet";
import { assertNear, example, installed, output } from "./example";

const deno = installed("@deno/linux-x64-glibc/deno");

const options = ["--node-modules-dir=manual", "--no-lock", "--cached-only"];
const run = ["run", "--no-prompt", ...options, "main.ts"];

let folder: string;
before(() => {
  folder = example("deno");
});

/** e^(−((t − u)/h)²/2) in float64, as far as it is not 0. */
function smoothed(series: readonly number[], h: number): number[] {
  return series.map((_, t) => {
    let [sum, total] = [0, 0];
    const [first, last] = [Math.max(0, t - 40 * h), Math.min(series.length - 1, t + 40 * h)];
    for (let u = Math.ceil(first); u <= last; u++) {
      const weight = Math.exp(-(((t - u) / h) ** 2) / 2);
      sum += weight * series[u];
      total += weight;
    }
    return sum / total;
  });
}

test("it smooths a series, without a permission", () => {
  output(folder, deno, ["check", ...options.slice(0, 2), "main.ts"]);
  const series = [3, 1, 4, 1, 5, 9, 2, 6];
  const printed = output(folder, deno, [...run, "1.5", ...series.map(String)]);
  assertNear(printed.trim().split(" ").map(Number), smoothed(series, 1.5), 1e-4);
});

test("it is exact for long series, and for widths of any size", () => {
  // The values wander by whole numbers up to 20, and four digits are printed.
  const series = Array.from({ length: 8000 }, (_, t) => (t * 7919) % 21);
  for (const h of [2, 0.3, 50, 1e-200, 1e9]) {
    const printed = output(folder, deno, [...run, String(h), ...series.map(String)]);
    const expected = h < 1e8 ? smoothed(series, h) : series.map(() => 0);
    const mean = series.reduce((sum, value) => sum + value) / series.length;
    const got = printed.trim().split(" ").map(Number);
    assertNear(got, h < 1e8 ? expected : expected.map(() => mean), 1e-4);
  }
});

test("what is no number is named", () => {
  for (const [args, said] of [
    [["1.5", "3", "x"], '"x" is not a number'],
    [["1.5", "3", "NaN"], '"NaN" is not a number'],
    [["1.5", "3", ""], '"" is not a number'],
    [["1.5", "1e39"], '"1e39" is not a number'],
    [["Infinity", "3"], '"Infinity" is not a number'],
    [["0", "3"], "a width above 0"],
    [["-1", "3"], "a width above 0"],
    [["2"], "deno task start WIDTH NUMBERS…"],
    [[], "deno task start WIDTH NUMBERS…"],
  ] as const) {
    const { status, stdout, stderr } = spawnSync(deno, [...run, ...args], {
      cwd: folder,
      env: { ...process.env, ...quiet },
      encoding: "utf8",
    });
    assert.equal(status, 2, `${args}: ${stdout}${stderr}`);
    assert.equal(stdout, "");
    assert.ok(stderr.includes(said) && stderr.trim().split("\n").length === 1, stderr);
  }
});
