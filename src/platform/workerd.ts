// Cloudflare's workerd: it compiles no bytes while it runs, but what is imported from a .wasm file
// beside the bundle is a compiled module. Its V8 has relaxed SIMD.

import portable from "../../build/portable.wasm?module";
import relaxed from "../../build/relaxed.wasm?module";

export async function loadModule(reproducible: boolean): Promise<WebAssembly.Module> {
  return reproducible ? portable : relaxed;
}
