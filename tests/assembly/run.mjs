// as-pect on both builds. Its exit code is 0 when no spec matched or its child was killed,
// so the closing counts are read too.
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

const specs = readdirSync("tests/assembly").filter((name) => name.endsWith(".spec.ts")).length;
const relaxed = readFileSync("build/relaxed.wasm");
// Node 20 has relaxed SIMD behind a flag, newer ones without.
const flags = WebAssembly.validate(relaxed) ? [] : ["--experimental-wasm-relaxed-simd"];
const cli = "node_modules/@as-pect/cli/lib/test.js";

for (const build of ["portable", "relaxed"]) {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [
      ...flags,
      cli,
      "--summary",
      "--config",
      "tests/assembly/as-pect.config.js",
      "--as-config",
      `tests/assembly/${build}.json`,
    ],
    { encoding: "utf8" },
  );
  const plain = stdout.replace(/\u001b\[\d+m/g, "");
  const [, passed = 0, all = 0] = plain.match(/\[Tests\]: (\d+) \/ (\d+)/) ?? [];
  const files = plain.match(/✔ tests\/assembly\/\S+\.spec\.ts/g)?.length ?? 0;
  const good = status === 0 && Number(passed) > 0 && passed === all && files === specs;
  console.log(`kernel specs, ${build}: ${passed} of ${all} passed in ${files} of ${specs} files`);
  if (!good) {
    console.log(stdout, stderr);
    process.exit(1);
  }
}
}
