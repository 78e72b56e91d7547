// Where an engine has the cache's module.

import type { Engine } from "../instance/instance";
import { type Module, moduleOf } from "../instance/modules";

export interface CacheModule extends Module {
  /** Where in the table the step stands that finds a tile's rows; see assembly/attend/located.ts. */
  locateStep(): number;
}

/** @throws ArgumentError where the engine was made without it. */
export function cacheOf(engine: Engine, operation: string): CacheModule {
  return engine.modules[moduleOf(engine, operation, "cache")] as CacheModule;
}
