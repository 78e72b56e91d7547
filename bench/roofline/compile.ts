// The roofline's kernels as bytes, by the compiler and with the flags of the build.

import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Variant } from "wasm-attention";

const root = new URL("../..", import.meta.url);

export function compileRoofline(build: Variant): Uint8Array<ArrayBuffer> {
  const file = `build/bench/roofline-${build}.wasm`;
  mkdirSync(new URL("build/bench", root), { recursive: true });
  const flags = build === "relaxed" ? ["--enable", "relaxed-simd"] : [];
  execFileSync(
    process.execPath,
    [
      "node_modules/assemblyscript/bin/asc.js",
      "bench/roofline/kernels.ts",
      ...["--outFile", file, "--runtime", "stub", "-O3", "--converge", "--noAssert"],
      ...["--importMemory", "--initialMemory", "1", "--use", "abort=", "--enable", "simd"],
      ...flags,
      "--config",
      "none",
    ],
    { cwd: fileURLToPath(root) },
  );
  return new Uint8Array(readFileSync(new URL(file, root)));
}
