// Browsers and everything else: the modules are inside this file, since many bundlers and
// service workers do not follow a separate one; compiled without holding the main thread.

import portable from "../../build/portable.wasm";
import relaxed from "../../build/relaxed.wasm";
import { bestBuild } from "../engine/detect";

export async function loadModule(reproducible: boolean): Promise<WebAssembly.Module> {
  return WebAssembly.compile(bestBuild(reproducible, { portable, relaxed }));
}
