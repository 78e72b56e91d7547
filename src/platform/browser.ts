// Browsers and everything else: the modules are inside this file, since many bundlers and
// service workers do not follow a separate one; compiled without holding the main thread.

import { bestBuild } from "../engine/detect";
import { builds } from "./builds";

export async function loadModules(reproducible: boolean): Promise<WebAssembly.Module[]> {
  return Promise.all(builds.map((build) => WebAssembly.compile(bestBuild(reproducible, build))));
}
