// Browsers and everything else: the modules are inside this file, since many bundlers and
// service workers do not follow a separate one; compiled without holding the main thread.

import { type Builds, bestBuild } from "../instance/builds";

export async function compile(builds: Builds, reproducible: boolean): Promise<WebAssembly.Module> {
  return WebAssembly.compile(bestBuild(reproducible, builds));
}
