// Which build this engine can run: validate the bytes, then probe the behaviour.

import { UnsupportedError } from "../errors";
import type { CoreModule } from "./modules";

/** "relaxed" uses relaxed multiply-add; "portable" gives the same bits on every engine. */
export type Variant = "relaxed" | "portable";

export type Bytes = Uint8Array<ArrayBuffer>;

/** The two builds of a module: their bytes or, where the platform compiles files, modules. */
export type Builds = Readonly<Record<Variant, (threads?: boolean) => Bytes>>;

/** A module whose one function, () → v128, is `i32.const 0, i8x16.splat`. */
const SIMD = Uint8Array.of(
  ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
  ...[1, 5, 1, 0x60, 0, 1, 0x7b],
  ...[3, 2, 1, 0],
  ...[10, 8, 1, 6, 0, 0x41, 0, 0xfd, 0x0f, 0x0b],
);

/** The bytes of the best of the two builds that this engine accepts. */
export function bestBuild(reproducible: boolean, builds: Builds, threads = false): Bytes {
  const tried: Variant[] = reproducible ? ["portable"] : ["relaxed", "portable"];
  for (const variant of tried) {
    const bytes = builds[variant](threads);
    if (WebAssembly.validate(bytes)) return bytes;
  }
  if (WebAssembly.validate(SIMD)) {
    throw new UnsupportedError(
      "createAttention",
      "module",
      "the bytes that this package was built with",
      "damaged ones: install it again, and look at what changes it on its way here",
    );
  }
  throw new UnsupportedError(
    "createAttention",
    "WebAssembly",
    "an engine with WebAssembly SIMD (Node 16, Chrome 91, Firefox 90, Safari 16.4 or newer)",
    "one that refuses SIMD",
  );
}

/** What a running module says of itself. */
export function probe(core: CoreModule): { variant: Variant; fused: boolean } {
  const variant = core.relaxedSimd() ? "relaxed" : "portable";
  return { variant, fused: core.fusedMultiplyAdd() === 1 };
}
