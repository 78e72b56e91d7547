// The modules on one linear memory, by number: the core's is 0, then those of the extensions in the order
// they were named. Each knows its operations by number too, and does them all by one protocol; see
// assembly/core.ts.

import { ArgumentError } from "../errors";
import type { Engine } from "./load";

export const CORE = 0;

/** A compiled module and what it is called. */
export interface Build {
  readonly name: string;
  readonly module: WebAssembly.Module;
}

/** What every module exports. Frames are byte addresses. */
export interface Module {
  scratchBytes(kernel: number, frame: number): number;
  items(kernel: number, frame: number): number;
  ready(kernel: number, frame: number, item: number): number;
  run(kernel: number, frame: number, item: number, thread: number, from: number): number;
  heapBase(): number;
  layout(): number;
  relaxedSimd(): number;
}

export interface CoreModule extends Module {
  packedLinearBytes(frame: number): number;
  fusedMultiplyAdd(): number;
}

export type Modules = readonly [CoreModule, ...Module[]];

/**
 * The number of an extension's module.
 *
 * @throws ArgumentError where the engine was made without it.
 */
export function moduleOf({ names }: Engine, operation: string, name: string): number {
  const index = names.indexOf(name);
  if (index >= 0) return index;
  const expected = `an engine with it: createAttention({ extensions: [${name}] }), see wasm-attention/${name}`;
  throw new ArgumentError(operation, "attention", expected, `one with [${names.slice(1).join(", ")}]`);
}
