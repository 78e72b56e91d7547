// Which build this engine can run: validate the bytes, then probe the behaviour.

import { UnsupportedError } from "../errors";
import type { Kernels } from "./load";

/** "relaxed" uses relaxed multiply-add; "portable" gives the same bits on every engine. */
export type Variant = "relaxed" | "portable";

type Bytes = Uint8Array<ArrayBuffer>;

/** The bytes of the best of the two builds that this engine accepts. */
export function bestBuild(
  reproducible: boolean,
  builds: Readonly<Record<Variant, () => Bytes>>,
): Bytes {
  if (typeof WebAssembly !== "object") {
    throw new UnsupportedError(
      "createAttention",
      "WebAssembly",
      "an engine with WebAssembly",
      "none",
    );
  }
  const tried: Variant[] = reproducible ? ["portable"] : ["relaxed", "portable"];
  for (const variant of tried) {
    const bytes = builds[variant]();
    if (WebAssembly.validate(bytes)) return bytes;
  }
  throw new UnsupportedError(
    "createAttention",
    "WebAssembly",
    "an engine with WebAssembly SIMD (Node 16, Chrome 91, Firefox 89, Safari 16.4 or newer)",
    "one that refuses SIMD",
  );
}

/** What a running module says of itself. */
export function probe(kernels: Kernels): { variant: Variant; fused: boolean } {
  const variant = kernels.relaxedSimd() ? "relaxed" : "portable";
  return { variant, fused: kernels.fusedMultiplyAdd() === 1 };
}
