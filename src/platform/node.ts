// Node: the modules are inside this file, and compiling them at once is quicker than waiting.

import { bestBuild } from "../engine/detect";
import { builds } from "./builds";

export async function loadModules(reproducible: boolean): Promise<WebAssembly.Module[]> {
  return builds.map((build) => new WebAssembly.Module(bestBuild(reproducible, build)));
}
