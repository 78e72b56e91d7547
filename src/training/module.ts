// Where an engine has the training module.

import type { Engine } from "../instance/instance";
import { type Module, moduleOf } from "../instance/modules";

/** @throws ArgumentError where the engine was made without it. */
export function trainingOf(engine: Engine, operation: string): Module {
  return engine.modules[moduleOf(engine, operation, "training")] as Module;
}
