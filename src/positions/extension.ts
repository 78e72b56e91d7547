// The positions capability: its module, and where an engine has it.

import builds from "builds:positions";
import type { Extension } from "../extension";
import type { Engine } from "../instance/instance";
import { type Module, moduleOf } from "../instance/modules";
import { checkPositions } from "./selftest";

/** Rotary embeddings and tables of positions: `createAttention({ extensions: [positions] })`. */
export const positions: Extension<"positions"> = {
  name: "positions",
  builds,
  check: checkPositions,
  threads: () => import("builds:positions?threads"),
};

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
