// node tests/assembly/run.mjs [FILE…]: as-pect on both builds, the specs given or all. Its exit code is 0
// when no spec matched or its child was killed, so the closing counts are read too.
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

const given = process.argv.slice(2);
const all = readdirSync("tests/assembly").filter((name) => name.endsWith(".spec.ts"));
const specs = given.length ? given : all.map((name) => `tests/assembly/${name}`);
const relaxed = readFileSync("build/core.relaxed.wasm");
// Node 20 has relaxed SIMD behind a flag, newer ones without.
const flags = WebAssembly.validate(relaxed) ? [] : ["--experimental-wasm-relaxed-simd"];

for (const build of ["portable", "relaxed"]) {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [
      ...flags,
      "node_modules/@as-pect/cli/lib/test.js",
      "--summary",
      "--config=tests/assembly/as-pect.config.js",
      `--as-config=tests/assembly/${build}.json`,
      ...specs,
    ],
    { encoding: "utf8", env: { ...process.env, FORCE_COLOR: "0" } },
  );
  const report = stdout + stderr;
  const [, passed = "0", run = "0"] = report.match(/\[Tests\]\S*: \S*?(\d+) \/ (\d+)/) ?? [];
  const files = report.match(/tests\/assembly\/\S+\.spec\.ts/g)?.length ?? 0;
  console.log(
    `kernel specs, ${build}: ${passed} of ${run} passed, ${files} of ${specs.length} files`,
  );
  if (status !== 0 || Number(passed) === 0 || passed !== run || files !== specs.length) {
    console.log(report);
    process.exit(1);
  }
}
