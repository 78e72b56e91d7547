// Cloudflare's workerd: it compiles no bytes while it runs, but what is imported from a .wasm file
// beside the bundle is a compiled module. Its V8 has relaxed SIMD.

import type { Builds } from "../instance/builds";

export async function compile(
  { portable, relaxed }: Builds,
  reproducible: boolean,
): Promise<WebAssembly.Module> {
  return (reproducible ? portable : relaxed) as unknown as WebAssembly.Module;
}
