// Where an engine has the positions module.

import type { Engine } from "../instance/instance";
import { type Module, moduleOf } from "../instance/modules";

/** Functions of float64, the same bits on every engine. */
export interface Transcendentals {
  sine(x: number): number;
  cosine(x: number): number;
  exponential(x: number): number;
  logarithm(x: number): number;
}

/** @throws ArgumentError where the engine was made without it. */
export function positionsOf(engine: Engine, operation: string): Module & Transcendentals {
  return engine.modules[moduleOf(engine, operation, "positions")] as Module & Transcendentals;
}
