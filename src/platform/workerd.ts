// Cloudflare's workerd: it compiles no bytes while it runs, but what is imported from a .wasm file
// beside the bundle is a compiled module. Its V8 has relaxed SIMD.

import portable from "../../build/core.portable.wasm?module";
import portablePositions from "../../build/positions.portable.wasm?module";
import portableTraining from "../../build/training.portable.wasm?module";
import relaxed from "../../build/core.relaxed.wasm?module";
import relaxedPositions from "../../build/positions.relaxed.wasm?module";
import relaxedTraining from "../../build/training.relaxed.wasm?module";

export async function loadModules(reproducible: boolean): Promise<WebAssembly.Module[]> {
  return reproducible
    ? [portable, portableTraining, portablePositions]
    : [relaxed, relaxedTraining, relaxedPositions];
}
