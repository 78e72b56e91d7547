// Node: the modules are inside this file, and compiling them at once is quicker than waiting.

import { type Builds, bestBuild } from "../instance/builds";

export async function compile(builds: Builds, reproducible: boolean): Promise<WebAssembly.Module> {
  return new WebAssembly.Module(bestBuild(reproducible, builds));
}
