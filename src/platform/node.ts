// Node: the modules are inside this file, and compiling them at once is quicker than waiting.

import portable from "../../build/portable.wasm";
import relaxed from "../../build/relaxed.wasm";
import { detectVariant } from "../engine/detect";

export async function loadModule(reproducible: boolean): Promise<WebAssembly.Module> {
  const bytes = { portable, relaxed };
  return new WebAssembly.Module(bytes[detectVariant(reproducible, bytes)]);
}
