// The training capability: its module, and where an engine has it.

import builds from "builds:training";
import type { Extension } from "../extension";
import type { Engine } from "../instance/instance";
import { type Module, moduleOf } from "../instance/modules";
import { checkTraining } from "./selftest";

/** Gradients: `createAttention({ extensions: [training] })`. */
export const training: Extension<"training"> = {
  name: "training",
  builds,
  check: checkTraining,
  threads: () => import("builds:training?threads"),
};

/** @throws ArgumentError where the engine was made without it. */
export function trainingOf(engine: Engine, operation: string): Module {
  return engine.modules[moduleOf(engine, operation, "training")] as Module;
}
