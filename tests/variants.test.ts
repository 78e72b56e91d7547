// One compilation gives all builds: what the bundle's text is read as, and in what the builds differ.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { builds } from "../src/instance/text";

const built = (name: string) => readFileSync(new URL(`../build/${name}`, import.meta.url));

for (const name of [
  "core",
  "training",
  "positions",
  "cache",
  "blocks",
  "variants",
  "quantized",
  "integers",
]) {
  test(`${name}: the text is read as the four builds`, () => {
    const text = builds(built(`${name}.wasm.txt`).toString());
    for (const variant of ["portable", "relaxed"] as const) {
      const file = `${name}.${variant}`;
      assert.deepEqual(Buffer.from(text[variant]()), built(`${file}.wasm`));
      assert.deepEqual(Buffer.from(text[variant](true)), built(`${file}-threads.wasm`));
    }
  });

  test(`${name}: builds differ in multiply-adds, dot products, in memory's limits and in one number`, () => {
    const [portable, relaxed, threads] = ["portable", "relaxed", "portable-threads"].map(
      (variant) => built(`${name}.${variant}.wasm`),
    );
    assert.equal(portable.length, relaxed.length);
    const differing = (a: Buffer, b: Buffer) => a.filter((byte, index) => byte !== b[index]).length;
    assert.ok(differing(portable, threads) <= 5);
    // local.set, f32x4.mul, local.get and f32x4.add for f32x4.relaxed_madd and seven nops.
    const sites = relaxed.toString("hex").match(/fd8502(01){7}/g) ?? [];
    // Modules of integers have no fused ones, so that both builds give the same bits.
    assert.equal(sites.length === 0, ["cache", "positions", "integers"].includes(name));
    const doubled = portable.toString("hex").match(/21(..|..01)fde60120\1fde401/g) ?? [];
    if (sites.length) assert.equal(doubled.length, sites.length);
    assert.equal(sites.length > 100, ["core", "blocks", "variants"].includes(name));
    // Of relaxed dot products one operand is left.
    const dots = relaxed.toString("hex").match(/fd9[23]02/g) ?? [];
    if (name === "quantized") assert.ok(dots.length > 20, `${dots.length} dot products`);
    const most = 1 + 10 * sites.length + 3 * dots.length;
    assert.ok(differing(portable, relaxed) <= most);
  });
}

const flags = execFileSync(process.execPath, ["--v8-options"], { encoding: "utf8" });
/** Newer engines cannot do without it. */
const skip = !flags.includes("wasm-relaxed-simd") && "no engine without relaxed SIMD";

test("the portable build needs no relaxed SIMD, the relaxed one does", { skip }, () => {
  const script = `
    const validates = (name) => WebAssembly.validate(fs.readFileSync("build/core." + name + ".wasm"));
    console.log(validates("portable"), validates("portable-threads"), validates("relaxed"));`;
  const flag = "--no-experimental-wasm-relaxed-simd";
  const printed = execFileSync(process.execPath, [flag, "-e", script], {
    cwd: new URL("..", import.meta.url),
    encoding: "utf8",
  });
  assert.equal(printed, "true true false\n");
});
