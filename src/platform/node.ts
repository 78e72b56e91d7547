// Node: the modules are inside this file, and compiling them at once is quicker than waiting.

import portable from "../../build/portable.wasm";
import relaxed from "../../build/relaxed.wasm";
import { bestBuild } from "../engine/detect";

export async function loadModule(reproducible: boolean): Promise<WebAssembly.Module> {
  return new WebAssembly.Module(bestBuild(reproducible, { portable, relaxed }));
}
